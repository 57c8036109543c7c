"""Hazardous migrations made into sequences of safe ones, by recipes, with a proof."""
