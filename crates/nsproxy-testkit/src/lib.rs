//! Private namespaces, scriptable peers and deadlines.
