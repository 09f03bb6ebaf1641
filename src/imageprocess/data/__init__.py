"""How a training set is made and checked: manifest, build, import, audit."""
