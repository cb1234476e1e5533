"""ESA's Sen2Cor: find the program, choose its version by the product's baseline, run it."""
