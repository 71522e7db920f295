//! Open, identify, enter, create and list Linux network namespaces, and wire them together.
