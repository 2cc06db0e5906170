"""What a hub shows: the projection and the questions put to it."""
