//! The heads: real ones of servers and proxies, and some that no client should read.

/// A response, byte for byte.
pub struct Vector {
    pub name: &'static str,
    pub response: Vec<u8>,
}

/// The event in every body.
pub const EVENT: &[u8] = b"data: hello\n\n";

/// [`EVENT`], compressed.
const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03KI,I\xb4R\xc8H\xcd\xc9\xc9\xe7\xe2\x02\x00\x1ds\x9d\xd4\r\x00\x00\x00";
const ZLIB: &[u8] = b"x\x9cKI,I\xb4R\xc8H\xcd\xc9\xc9\xe7\xe2\x02\x00\x1f\xea\x04\x1d";
const DEFLATE: &[u8] = b"KI,I\xb4R\xc8H\xcd\xc9\xc9\xe7\xe2\x02\x00";
const TWICE: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x93\xef\xe6`\x00\x03foO\x1d\xcf-A'<\xce\x9e<\xf9\xfc\x11\x13\x83l\xf1\xdc+\xbc@\t\x00\xe3\xb4L\x8d!\x00\x00\x00";
const BROTLI: &[u8] = b"\x0b\x06\x80data: hello\n\n\x03";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x20\x0d\x69\x00\x00data: hello\n\n";

const STREAM: &str = "content-type: text/event-stream";

pub fn all() -> Vec<Vector> {
    let mut all = Vec::new();
    codings(&mut all);
    types(&mut all);
    lines(&mut all);
    status_lines(&mut all);
    lengths(&mut all);
    all
}

/// A response that ends with its connection.
fn response(head: &str, body: &[u8]) -> Vec<u8> {
    [head.as_bytes(), b"\r\nconnection: close\r\n\r\n", body].concat()
}

fn add(all: &mut Vec<Vector>, name: &'static str, response: Vec<u8>) {
    all.push(Vector { name, response });
}

fn codings(all: &mut Vec<Vector>) {
    for (name, codings, body) in [
        ("`Content-Encoding: none`", &["none"][..], EVENT),
        ("`Content-Encoding: utf-8`", &["utf-8"], EVENT),
        ("`Content-Encoding: binary`", &["binary"], EVENT),
        ("`Content-Encoding: identity`", &["identity"], EVENT),
        ("`Content-Encoding: identity, identity`", &["identity, identity"], EVENT),
        ("`Content-Encoding: identity`, twice", &["identity", "identity"], EVENT),
        ("`Content-Encoding: chunked`", &["chunked"], EVENT),
        ("`Content-Encoding: compress`, plain", &["compress"], EVENT),
        ("`Content-Encoding: text/event-stream`", &["text/event-stream"], EVENT),
        ("`Content-Encoding:`, empty", &[""], EVENT),
        ("`Content-Encoding: ,`", &[","], EVENT),
        ("`Content-Encoding: gzip, utf-8`, plain", &["gzip, utf-8"], EVENT),
        ("`Content-Encoding: gzip, identity`, plain", &["gzip, identity"], EVENT),
        ("`Content-Encoding: gzip`", &["gzip"], GZIP),
        ("`Content-Encoding: X-GZIP`", &["X-GZIP"], GZIP),
        ("`Content-Encoding: gzip, gzip`", &["gzip, gzip"], TWICE),
        ("`Content-Encoding: gzip`, plain", &["gzip"], EVENT),
        ("`Content-Encoding: deflate`", &["deflate"], ZLIB),
        ("`Content-Encoding: deflate`, without zlib's frame", &["deflate"], DEFLATE),
        ("`Content-Encoding: br`", &["br"], BROTLI),
        ("`Content-Encoding: zstd`", &["zstd"], ZSTD),
    ] {
        let lines: String = codings.iter().map(|coding| format!("\r\ncontent-encoding: {coding}")).collect();
        add(all, name, response(&format!("HTTP/1.1 200 OK\r\n{STREAM}{lines}"), body));
    }
}

fn types(all: &mut Vec<Vector>) {
    for (name, types) in [
        ("`Content-Type: text/event-stream;charset=utf-8`", &["text/event-stream;charset=utf-8"][..]),
        ("`Content-Type: text/event-stream; charset=iso-8859-1`", &["text/event-stream; charset=iso-8859-1"]),
        ("`Content-Type: text/event-stream; charset=utf-16`", &["text/event-stream; charset=utf-16"]),
        ("`Content-Type: text/event-stream; charset=\"utf-8`", &["text/event-stream; charset=\"utf-8"]),
        ("`Content-Type: text/event-stream;`", &["text/event-stream;"]),
        ("`Content-Type: text/event-stream ; a`", &["text/event-stream ; a"]),
        ("`Content-Type: text/event-stream charset=utf-8`", &["text/event-stream charset=utf-8"]),
        ("`Content-Type: text/event-stream, charset=utf-8`", &["text/event-stream, charset=utf-8"]),
        ("`Content-Type: TEXT/EVENT-STREAM`", &["TEXT/EVENT-STREAM"]),
        ("`Content-Type: text/event-stream, text/event-stream`", &["text/event-stream, text/event-stream"]),
        ("`Content-Type: text/plain`, then `text/event-stream`", &["text/plain", "text/event-stream"]),
        ("`Content-Type: text/event-stream`, then `text/plain`", &["text/event-stream", "text/plain"]),
        ("`Content-Type: text/event-stream`, then empty", &["text/event-stream", ""]),
        ("`Content-Type: text/plain`", &["text/plain"]),
        ("`Content-Type: application/json`", &["application/json"]),
        ("no `Content-Type`", &[]),
    ] {
        let lines: String = types.iter().map(|value| format!("\r\ncontent-type: {value}")).collect();
        add(all, name, response(&format!("HTTP/1.1 200 OK{lines}"), EVENT));
    }
}

fn lines(all: &mut Vec<Vector>) {
    let many = |count: usize| (0..count).map(|at| format!("\r\nx-{at}: {at}")).collect::<String>();
    for (name, lines) in [
        ("a folded line", "\r\nx-folded: a\r\n b\r\n\tc".to_owned()),
        ("101 headers", many(99)),
        ("500 headers", many(498)),
        ("3,000 headers", many(2_998)),
        ("a header of 10 KiB", format!("\r\nx-long: {}", "x".repeat(10 << 10))),
        ("a header of 100 KiB", format!("\r\nx-long: {}", "x".repeat(100 << 10))),
        ("a header of 1 MiB", format!("\r\nx-long: {}", "x".repeat(1 << 20))),
        ("an empty value", "\r\nx-empty:".to_owned()),
        ("a space before the colon", "\r\nx-space : a".to_owned()),
        ("a line without a colon", "\r\nnot a header".to_owned()),
        ("a line without a name", "\r\n: a".to_owned()),
        ("a space in a name", "\r\nx space: a".to_owned()),
        ("a bracket in a name", "\r\nx(a): a".to_owned()),
        ("a control byte in a value", "\r\nx-control: a\u{1}b".to_owned()),
        ("a NUL in a value", "\r\nx-nul: a\0b".to_owned()),
        ("UTF-8 in a value", "\r\nx-text: \u{e9}\u{2026}".to_owned()),
        ("UTF-8 in a name", "\r\nx-\u{e9}: a".to_owned()),
        ("`Connection: upgrade`", "\r\nupgrade: h2c\r\nconnection: upgrade".to_owned()),
    ] {
        add(all, name, response(&format!("HTTP/1.1 200 OK\r\n{STREAM}{lines}"), EVENT));
    }
    let folded = "HTTP/1.1 200 OK\r\ncontent-type:\r\n text/event-stream;\r\n charset=utf-8";
    add(all, "a folded `Content-Type`", response(folded, EVENT));
    let latin =
        [format!("HTTP/1.1 200 OK\r\n{STREAM}\r\nx-text: ").as_bytes(), b"\xe9\r\n\r\n", EVENT].concat();
    add(all, "Latin-1 in a value", latin);
    let bare = format!("HTTP/1.1 200 OK\n{STREAM}\n\n");
    add(all, "line feeds alone", [bare.as_bytes(), EVENT].concat());
}

fn status_lines(all: &mut Vec<Vector>) {
    let ok = format!("HTTP/1.1 200 OK\r\n{STREAM}");
    for (name, start) in [
        ("HTTP/1.0", "HTTP/1.0 200 OK".to_owned()),
        ("HTTP/1.2", "HTTP/1.2 200 OK".to_owned()),
        ("HTTP/2.0 in text", "HTTP/2.0 200 OK".to_owned()),
        ("no reason phrase", "HTTP/1.1 200".to_owned()),
        ("an empty reason phrase", "HTTP/1.1 200 ".to_owned()),
        ("UTF-8 in the reason phrase", "HTTP/1.1 200 D\u{e9}j\u{e0} vu".to_owned()),
        ("two spaces before the status", "HTTP/1.1  200 OK".to_owned()),
        ("`http/1.1` in lower case", "http/1.1 200 OK".to_owned()),
        ("an empty line first", "\r\nHTTP/1.1 200 OK".to_owned()),
        ("100 before 200", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK".to_owned()),
        (
            "103 with links before 200",
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK".to_owned(),
        ),
        (
            "three of 1xx before 200",
            format!("{}HTTP/1.1 200 OK", "HTTP/1.1 102 Processing\r\n\r\n".repeat(3)),
        ),
        ("`OK`, no status line", "OK".to_owned()),
    ] {
        add(all, name, response(&format!("{start}\r\n{STREAM}"), EVENT));
    }
    add(all, "no head at all", EVENT.to_vec());
    add(all, "the head breaks off", ok.into_bytes());
}

fn lengths(all: &mut Vec<Vector>) {
    let chunked = b"d\r\ndata: hello\n\n\r\n0\r\n\r\n";
    let trailers = b"d\r\ndata: hello\n\n\r\n0\r\nx-trailer: a\r\n\r\n";
    let extension = b"000d;a=\"b\"\r\ndata: hello\n\n\r\n0\r\n\r\n";
    for (name, lines, body) in [
        ("chunked", "transfer-encoding: chunked", &chunked[..]),
        ("chunked, with trailers", "transfer-encoding: chunked\r\ntrailer: x-trailer", trailers),
        ("chunked, with an extension", "transfer-encoding: chunked", extension),
        ("`Transfer-Encoding: Chunked`", "transfer-encoding: Chunked", chunked),
        (
            "`Transfer-Encoding: chunked`, twice",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            chunked,
        ),
        ("`Transfer-Encoding: identity`", "transfer-encoding: identity", EVENT),
        ("chunked, with a length", "content-length: 13\r\ntransfer-encoding: chunked", chunked),
        ("the length, twice", "content-length: 13\r\ncontent-length: 13", EVENT),
        ("`Content-Length: 13, 13`", "content-length: 13, 13", EVENT),
        ("`Content-Length: +13`", "content-length: +13", EVENT),
        ("two lengths", "content-length: 13\r\ncontent-length: 14", EVENT),
        ("a length beyond the body", "content-length: 1000", EVENT),
        ("a length that is not a number", "content-length: many", EVENT),
    ] {
        add(all, name, response(&format!("HTTP/1.1 200 OK\r\n{STREAM}\r\n{lines}"), body));
    }
    let old = format!("HTTP/1.0 200 OK\r\n{STREAM}\r\ntransfer-encoding: chunked");
    add(all, "chunked, in HTTP/1.0", response(&old, chunked));
}
