use example_common::refusal;
use rocket::{Catcher, Request, catch, catchers, http::Status, serde::json::Value};

/// Rocket's own guards read the query and the body; what they refuse comes here, to be answered as JSON.
pub(crate) fn catchers() -> Vec<Catcher> {
    catchers![refused]
}

#[catch(default)]
fn refused(status: Status, _: &Request<'_>) -> Value {
    refusal(status.code)
}
