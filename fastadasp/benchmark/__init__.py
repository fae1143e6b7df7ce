"""Speed and memory on decoders with random weights: what reduction saves, against what the FLOPs predict."""
