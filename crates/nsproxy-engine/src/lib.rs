//! The data plane: relays connections between Linux network namespaces, as a library.
