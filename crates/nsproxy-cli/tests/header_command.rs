//! `nsproxy header` as a program: what it prints, and how it ends. What a header means is tested in `proxy-proto`; here its
//! vectors are only the longest list of inputs there is.

use std::io::{Seek as _, Write as _};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const TCP4: &str = "50524f585920544350342031302e302e302e312031302e302e302e3220312032\
                    0d0a";

/// `nsproxy header` with these arguments and this standard input.
fn header(arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(input.as_ref())
        .expect("a temporary file can be written");
    file.rewind().expect("a temporary file can be read again");
    Command::new(env!("CARGO_BIN_EXE_nsproxy"))
        .arg("header")
        .args(arguments)
        .stdin(Stdio::from(file))
        .output()
        .expect("nsproxy can be started")
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("text")
}

/// The standard output of a run that succeeded without a complaint.
#[track_caller]
fn printed(arguments: &[&str], input: impl AsRef<[u8]>) -> Vec<u8> {
    let output = header(arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    assert_eq!(stderr(&output), "", "{arguments:?}");
    output.stdout
}

#[track_caller]
fn encoded(arguments: &[&str]) -> String {
    let text = printed(&[&["encode"], arguments].concat(), "");
    String::from_utf8(text)
        .expect("hexadecimal")
        .trim_end()
        .to_owned()
}

/// The answers of `decode --json` to what is on standard input, and the exit code.
fn answers(input: &str) -> (Vec<Value>, Option<i32>) {
    let output = header(&["decode", "--json"], input);
    assert_eq!(stderr(&output), "", "with --json all is said on standard output");
    let lines = stdout(&output).lines();
    let answers =
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")));
    (answers.collect(), output.status.code())
}

/// What `encode` writes is what `decode` reads: the fields that are not null.
#[track_caller]
fn round_trip(arguments: &[&str]) -> Value {
    let (answers, code) = answers(&encoded(arguments));
    assert_eq!(code, Some(0), "{answers:?}");
    let [Value::Object(fields)] = <[Value; 1]>::try_from(answers).expect("one answer") else {
        panic!("not an object");
    };
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

#[test]
fn each_vector_is_answered_as_its_file_says_one_line_each_on_to_the_last() {
    let vectors: Value = serde_json::from_str(include_str!("../../proxy-proto/tests/vectors.json")).unwrap();
    let vectors = vectors.as_array().unwrap();
    let lines: Vec<_> = vectors
        .iter()
        .map(|vector| vector["hex"].as_str().unwrap())
        .collect();
    let input = lines.join("\n") + "\n";
    let (answers, code) = answers(&input);
    assert_eq!(code, Some(1), "some vectors are no headers");
    assert_eq!(answers.len(), vectors.len());
    for (answer, vector) in answers.iter().zip(vectors) {
        let name = &vector["name"];
        assert_eq!(answer["result"], vector["expect"], "{name}");
        for field in [
            "consumed",
            "version",
            "command",
            "family",
            "transport",
            "src",
            "dst",
            "tlvs",
        ] {
            assert_eq!(
                meaning(&answer[field]),
                meaning(&vector[field]),
                "{name}: {field}"
            );
        }
        assert_eq!(answer["error"].is_string(), vector["expect"] != "ok", "{name}");
        assert_eq!(answer["offset"].is_u64(), vector["expect"] == "error", "{name}");
    }
}

/// Addresses are compared as addresses: IPv6 has several spellings.
fn meaning(value: &Value) -> Value {
    let address = value
        .as_str()
        .and_then(|text| text.parse::<std::net::SocketAddr>().ok());
    address.map_or_else(|| value.clone(), |address| json!(address.to_string()))
}

#[test]
fn the_line_of_json_has_its_fields_in_the_order_of_the_documentation() {
    let line = printed(&["decode", "--json", TCP4], "");
    assert_eq!(
        String::from_utf8(line).unwrap(),
        "{\"result\":\"ok\",\"consumed\":34,\"version\":1,\"command\":\"proxy\",\"family\":\"inet\",\"transport\":\"stream\",\
         \"src\":\"10.0.0.1:1\",\"dst\":\"10.0.0.2:2\",\"tlvs\":[],\"error\":null,\"offset\":null}\n"
    );
}

#[test]
fn an_encoded_header_is_decoded_to_the_same_values() {
    assert_eq!(
        round_trip(&["--v1", "--src", "192.0.2.1:4711", "--dst", "198.51.100.7:80"]),
        json!({
            "result": "ok", "consumed": 43, "version": 1, "command": "proxy", "family": "inet", "transport": "stream",
            "src": "192.0.2.1:4711", "dst": "198.51.100.7:80", "tlvs": [],
        })
    );
    assert_eq!(
        round_trip(&[
            "--v2",
            "--src",
            "[2001:db8::1]:4711",
            "--dst",
            "[2001:db8::2]:80",
            "--netns",
            "blue",
            "--unique-id",
            "7f",
            "--authority",
            "example.org",
            "--alpn",
            "h2",
            "--tlv",
            "0xea=01 76",
            "--tlv",
            "4=",
        ]),
        json!({
            "result": "ok", "consumed": 91, "version": 2, "command": "proxy", "family": "inet6", "transport": "stream",
            "src": "[2001:db8::1]:4711", "dst": "[2001:db8::2]:80",
            "tlvs": [
                {"type": 1, "value_hex": "6832"},
                {"type": 2, "value_hex": "6578616d706c652e6f7267"},
                {"type": 5, "value_hex": "3766"},
                {"type": 0x30, "value_hex": "626c7565"},
                {"type": 0xea, "value_hex": "0176"},
                {"type": 4, "value_hex": ""},
            ],
        })
    );
    assert_eq!(
        round_trip(&["--dgram", "--src", "unix:/run/a", "--dst", "unix:/run/b"]),
        json!({
            "result": "ok", "consumed": 232, "version": 2, "command": "proxy", "family": "unix", "transport": "dgram",
            "src": "unixhex:2f72756e2f61", "dst": "unixhex:2f72756e2f62", "tlvs": [],
        })
    );
}

#[test]
fn the_checksum_that_is_encoded_is_right() {
    // A wrong one would be refused.
    let answer = round_trip(&["--local", "--unique-id", "check-1", "--crc32c"]);
    assert_eq!(answer["command"], "local");
    assert_eq!(answer["tlvs"][1]["type"], 3);
}

#[test]
fn without_addresses_the_header_says_that_they_are_unknown() {
    assert_eq!(encoded(&["--v1"]), "50524f585920554e4b4e4f574e0d0a");
    assert_eq!(encoded(&[]), "0d0a0d0a000d0a515549540a21000000");
    assert_eq!(encoded(&["--local"]), "0d0a0d0a000d0a515549540a20000000");
}

#[test]
fn raw_bytes_pass_through_a_pipe_and_the_payload_behind_them_is_left_out() {
    let mut bytes = printed(
        &[
            "encode",
            "--raw",
            "--src",
            "10.0.0.1:1",
            "--dst",
            "10.0.0.2:2",
            "--netns",
            "blue",
        ],
        "",
    );
    assert_eq!(bytes.len(), 16 + 12 + 3 + 4);
    bytes.extend(b"GET / HTTP/1.0\r\n\r\n");
    let dump = String::from_utf8(printed(&["decode", "--raw"], &bytes)).unwrap();
    assert!(dump.contains("network namespace `blue`"), "{dump}");
    assert!(dump.contains("  35  payload, 18 bytes"), "{dump}");
    let line = printed(&["decode", "--raw", "--json"], &bytes);
    let answer: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(answer["consumed"], 35);
}

#[test]
fn the_dump_names_every_field_with_its_offset() {
    let ssl = "01 00000000 21 0007 544c5376312e33 22 0001 61";
    let hex = encoded(&[
        "--src",
        "10.0.0.1:1",
        "--dst",
        "10.0.0.2:2",
        "--tlv",
        &format!("0x20={ssl}"),
        "--tlv",
        "0xe0=",
    ]);
    let dump = String::from_utf8(printed(&["decode", &hex], "")).unwrap();
    let expected = "   0  0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a   signature of version 2
  12  21                                    version 2, command PROXY
  13  11                                    IPv4, stream
  14  00 25                                 37 bytes follow
  16  0a 00 00 01                           source address 10.0.0.1
  20  0a 00 00 02                           destination address 10.0.0.2
  24  00 01                                 source port 1
  26  00 02                                 destination port 2
  28  20                                    TLV type SSL
  29  00 13                                 19 bytes
  31  01                                    over TLS, no client certificate
  32  00 00 00 00                           verification result 0: not verified
  36  21                                    TLV type SSL_VERSION
  37  00 07                                 7 bytes
  39  54 4c 53 76 31 2e 33                  `TLSv1.3`
  46  22                                    TLV type SSL_CN
  47  00 01                                 1 bytes
  49  61                                    `a`
  50  e0                                    TLV type 0xe0, custom
  51  00 00                                 0 bytes
";
    assert_eq!(dump, expected);
}

#[test]
fn decoding_goes_on_after_a_bad_line_and_says_which_it_was() {
    let output = header(&["decode"], format!("{TCP4}\nzz\n50 52\n474554\n{TCP4}\n"));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output).matches("destination port 2").count(), 2);
    let complaints: Vec<_> = stderr(&output).lines().collect();
    assert_eq!(
        complaints,
        [
            "line 2: not hexadecimal: `z` at character 1",
            "line 3: incomplete PROXY header: at least 15 bytes are needed",
            "line 4: invalid PROXY header at byte 0: neither a version 1 nor a version 2 signature",
        ]
    );
}

#[test]
fn spaces_and_upper_case_are_read_and_arguments_come_before_standard_input() {
    let upper = TCP4.to_uppercase();
    let pairs: Vec<_> = upper
        .as_bytes()
        .chunks(2)
        .map(|pair| str::from_utf8(pair).unwrap())
        .collect();
    let spaced = pairs.join(" ");
    let output = printed(&["decode", "--json", &spaced, TCP4], "zz\n");
    assert_eq!(
        String::from_utf8(output)
            .unwrap()
            .matches("\"result\":\"ok\"")
            .count(),
        2
    );
}

#[test]
fn an_input_that_is_not_hexadecimal_is_an_error_without_an_offset() {
    let (answers, code) = answers("0d0\n");
    assert_eq!(code, Some(1));
    assert_eq!(answers[0]["result"], "error");
    assert_eq!(answers[0]["error"], "not hexadecimal: a byte has only one digit");
    assert_eq!(answers[0]["offset"], Value::Null);
}

#[test]
fn what_cannot_be_encoded_is_refused_with_its_reason() {
    let long = "a".repeat(129);
    for (arguments, code, reason) in [
        (&["--src", "10.0.0.1:1"][..], 2, "--dst"),
        (&["--v1", "--netns", "blue"], 2, "cannot be used with"),
        (&["--v1", "--local"], 2, "cannot be used with"),
        (&["--v1", "--v2"], 2, "cannot be used with"),
        (
            &["--local", "--src", "10.0.0.1:1", "--dst", "10.0.0.2:2"],
            2,
            "cannot be used with",
        ),
        (
            &["--src", "10.0.0.1", "--dst", "10.0.0.2:2"],
            2,
            "neither ADDR:PORT",
        ),
        (&["--tlv", "ea=00"], 2, "the type `ea` is no number"),
        (&["--tlv", "0xea=0"], 2, "a byte has only one digit"),
        (
            &["--src", "10.0.0.1:1", "--dst", "[::1]:2"],
            1,
            "one address is IPv4, the other IPv6",
        ),
        (
            &["--src", "10.0.0.1:1", "--dst", "unix:/a"],
            1,
            "not of one family",
        ),
        (
            &["--v1", "--src", "unix:/a", "--dst", "unix:/a"],
            1,
            "version 1 carries only TCP",
        ),
        (
            &["--tlv", "3=00000000"],
            1,
            "a checksum is computed, not given (use --crc32c)",
        ),
        (
            &["--tlv", "32=00"],
            1,
            "the SSL TLV is not five bytes and whole sub-TLVs",
        ),
        (&["--netns", "blåu"], 1, "TLV NETNS (0x30) has to be US-ASCII"),
        (
            &["--unique-id", &long],
            1,
            "the unique id has 129 bytes, above 128",
        ),
        (
            &["--src", &format!("unix:/{long}"), "--dst", "unix:/a"],
            1,
            "the path has 130 bytes, above 108",
        ),
    ] {
        let output = header(&[&["encode"], arguments].concat(), "");
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(reason),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert_eq!(output.stdout, b"", "{arguments:?}");
    }
}
