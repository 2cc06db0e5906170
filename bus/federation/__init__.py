"""Carries bulletins and the registry between the brokers of countries and unions."""
