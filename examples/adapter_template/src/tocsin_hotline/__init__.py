"""Joins an election hotline to tocsin."""
