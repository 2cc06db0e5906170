"""Commands of an analyst: what arrived, what it means, what to answer."""
