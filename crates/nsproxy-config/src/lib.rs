//! HAProxy-syntax configuration text to a checked model of relays between network namespaces, with diagnostics.
