use serde_json::{Value, json};
use sse_core::Receipt;

/// The response body of `POST /publish` and `POST /finish`.
#[must_use]
pub fn published(receipt: &Receipt) -> Value {
    let mut reply = json!({ "id": receipt.cursor.to_string(), "receivers": receipt.receivers });
    if receipt.duplicate
        && let Some(reply) = reply.as_object_mut()
    {
        reply.insert("duplicate".to_owned(), true.into());
    }
    reply
}

/// The response body for a request whose body the framework could not read as text.
#[must_use]
pub fn refusal(status: u16) -> Value {
    json!({ "error": match status {
        413 => "body: more than 16 MiB; send less",
        _ => "body: not UTF-8; send text",
    } })
}
