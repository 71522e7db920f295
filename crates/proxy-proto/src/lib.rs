//! PROXY protocol v1 and v2: bytes in, values out. no_std, no allocation, no unsafe code.
