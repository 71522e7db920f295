//! JSON in the layout of iproute2, so that the bytes are the same too. Unlike there, every answer is valid JSON.

use std::fmt::Write as _;

use netns_core::NetnsName;
use serde_json::Value;

/// An object whose members stand in this order.
pub(super) type Object = Vec<(&'static str, Value)>;

/// An array of objects, with the line's end.
pub(super) fn array(objects: &[Object], pretty: bool) -> String {
    let (open, start, between, end, close) = if pretty {
        ("[ ", "{\n        ", ",\n        ", "\n    }", " ]\n")
    } else {
        ("[", "{", ",", "}", "]\n")
    };
    let colon = if pretty { ": " } else { ":" };
    let mut text = open.to_owned();
    for (index, object) in objects.iter().enumerate() {
        text.push_str(if index == 0 { start } else { "," });
        if index > 0 {
            text.push_str(start);
        }
        for (index, (name, value)) in object.iter().enumerate() {
            let comma = if index == 0 { "" } else { between };
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}\"{name}\"{colon}{value}");
        }
        text.push_str(end);
    }
    // iproute2 writes the empty array as `[ ]`.
    if pretty && objects.is_empty() {
        text.pop();
    }
    text + close
}

/// A name as a JSON string. What is not UTF-8 is replaced: JSON has no bytes.
pub(super) fn name(name: &NetnsName) -> Value {
    Value::from(String::from_utf8_lossy(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_that_of_iproute2() {
        let objects = [
            vec![("name", Value::from("a\"'")), ("id", Value::from(0))],
            vec![("name", Value::from("b\u{1}"))],
        ];
        assert_eq!(
            array(&objects, false),
            "[{\"name\":\"a\\\"'\",\"id\":0},{\"name\":\"b\\u0001\"}]\n"
        );
        assert_eq!(
            array(&objects, true),
            "[ {\n        \"name\": \"a\\\"'\",\n        \"id\": 0\n    },{\n        \"name\": \"b\\u0001\"\n    } ]\n"
        );
        assert_eq!(array(&[], false), "[]\n");
        assert_eq!(array(&[], true), "[ ]\n");
    }
}
