use std::time::Duration;

use sse_core::Event;

/// An event, and its required bytes on the wire.
#[derive(Debug, Clone)]
pub struct WireVector {
    /// The event that the application sends.
    pub event: Event,
    /// The bytes on the socket.
    pub bytes: &'static str,
}

/// One event for each rule of the wire.
#[must_use]
pub fn wire_vectors() -> Vec<WireVector> {
    let say = |event: Event, bytes: &'static str| WireVector { event, bytes };
    let message = Event::message;
    vec![
        say(message("plain"), "data: plain\n\n"),
        say(message(""), "data: \n\n"),
        say(message(" leading space"), "data:  leading space\n\n"),
        say(message("trailing space "), "data: trailing space \n\n"),
        say(message("two\nlines"), "data: two\ndata: lines\n\n"),
        say(message("a\rb\nc\r\nd"), "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        say(message("\n"), "data: \ndata: \n\n"),
        say(message("trailing\n"), "data: trailing\ndata: \n\n"),
        say(message("trailing\r\n"), "data: trailing\ndata: \n\n"),
        say(message("\r\r"), "data: \ndata: \ndata: \n\n"),
        say(message("\n\r"), "data: \ndata: \ndata: \n\n"),
        say(message("data: not a field"), "data: data: not a field\n\n"),
        say(message(": not a comment"), "data: : not a comment\n\n"),
        say(message("\u{feff}no mark of order"), "data: \u{feff}no mark of order\n\n"),
        say(message("nul \0 in data"), "data: nul \0 in data\n\n"),
        say(message("snowman ☃ 😀"), "data: snowman ☃ 😀\n\n"),
        say(message("\u{85}\u{2028}\u{2029}"), "data: \u{85}\u{2028}\u{2029}\n\n"),
        say(Event::default().data("one").data("two"), "data: one\ndata: two\n\n"),
        say(Event::default().data_lines(["a", "b\nc", ""]), "data: a\ndata: b\ndata: c\ndata: \n\n"),
        say(message("typed").event("price"), "data: typed\nevent: price\n\n"),
        say(message("typed").event("a:b ü"), "data: typed\nevent: a:b ü\n\n"),
        say(message("named").id("order-42"), "data: named\nid: order-42\n\n"),
        say(message("numbered").id(7u8), "data: numbered\nid: 7\n\n"),
        say(message("below zero").id(-1i64), "data: below zero\nid: -1\n\n"),
        say(message("forgetful").reset_id(), "data: forgetful\nid: \n\n"),
        say(Event::default().id("id-alone"), "id: id-alone\n\n"),
        say(
            Event::default().event("first").data("order kept").id(1),
            "event: first\ndata: order kept\nid: 1\n\n",
        ),
        say(message("slow down").retry(Duration::from_secs(3)), "data: slow down\nretry: 3000\n\n"),
        say(Event::default().retry(Duration::from_millis(2_500)), "retry: 2500\n"),
        say(Event::default().comment("by itself"), "retry: 2500\n: by itself\n"),
        say(message("said").comment("not said\nnor this"), "data: said\n: not said\n: nor this\n\n"),
        say(Event::json([1, 2]).event("pair"), "data: [1,2]\nevent: pair\n\n"),
        say(Event::json("two\nlines"), "data: \"two\\nlines\"\n\n"),
        say(Event::json(()), "data: null\n\n"),
        say(message("end"), "data: end\n\n"),
    ]
}
