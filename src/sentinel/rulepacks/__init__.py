"""Classifications that are shipped as data, in the words of a configuration's own `rules`."""
