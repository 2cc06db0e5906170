"""Decides on received bytes: admitted, held back or refused, with a reason. Pure."""
