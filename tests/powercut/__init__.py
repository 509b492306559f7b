"""Power cuts: what the booted image wrote to its card, replayed up to every point of it."""
