"""The demonstration: two fictitious countries, eight authorities and two hubs on one machine, for real."""
