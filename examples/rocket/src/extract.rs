use example_common::{MAX_BODY, refusal};
use rocket::{
    Catcher, Data, Request, async_trait, catch, catchers,
    data::{FromData, Outcome, ToByteUnit},
    http::Status,
    serde::json::Value,
};

/// The body as text: Rocket's own guard does not report whether it was too long or not UTF-8.
pub(crate) struct Text(pub(crate) String);

/// A refused body; the status gives the reason.
#[derive(Debug)]
pub(crate) struct Refused;

#[async_trait]
impl<'r> FromData<'r> for Text {
    type Error = Refused;

    async fn from_data(_: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        let not_text = Outcome::Error((Status::BadRequest, Refused));
        match data.open(MAX_BODY.bytes()).into_bytes().await {
            Ok(body) if !body.is_complete() => Outcome::Error((Status::PayloadTooLarge, Refused)),
            Ok(body) => {
                String::from_utf8(body.into_inner()).map_or(not_text, |text| Outcome::Success(Self(text)))
            }
            Err(_) => not_text,
        }
    }
}

/// Answers the refusal of a guard as JSON.
pub(crate) fn catchers() -> Vec<Catcher> {
    catchers![refused]
}

#[catch(default)]
fn refused(status: Status, _: &Request<'_>) -> Value {
    refusal(status.code)
}
