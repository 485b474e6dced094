use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};

use crate::{
    Error,
    error::{error_json, json_response},
    request::{Cors, OriginPolicy, SseRequest},
    response::{headers::allow, vary},
};

/// How long a browser may cache the response to a preflight, in seconds.
const MAX_AGE: &str = "600";

/// Answers requests with methods that a route's handler does not have: OPTIONS, including preflights, and 405.
#[derive(Debug, Clone)]
pub struct Preflight {
    policy: OriginPolicy,
    takes_post: bool,
}

impl Preflight {
    /// Creates the answers of a route that takes GET and HEAD.
    #[must_use]
    pub fn new(policy: OriginPolicy) -> Self {
        Self { policy, takes_post: false }
    }

    /// Adds POST to the methods of the route.
    #[must_use]
    pub fn post(self) -> Self {
        Self { takes_post: true, ..self }
    }

    pub(super) fn with_policy(self, policy: OriginPolicy) -> Self {
        Self { policy, ..self }
    }

    pub(super) fn policy(&self) -> &OriginPolicy {
        &self.policy
    }

    /// Returns `true` if the route's handler answers this method.
    #[must_use]
    pub fn is_of_handler(&self, method: &Method) -> bool {
        matches!(*method, Method::GET | Method::HEAD) || (self.takes_post && *method == Method::POST)
    }

    /// Returns the response to a request with another method.
    #[must_use]
    pub fn answer(&self, method: &Method, headers: &HeaderMap, uri: &Uri) -> Response<String> {
        if *method != Method::OPTIONS {
            return self.not_allowed();
        }
        match self.policy.check(&SseRequest::new(method, uri, headers)) {
            Ok(cors) => self.options(headers, &cors),
            Err(error) => Error::from(error).into_response(),
        }
    }

    fn methods(&self) -> HeaderValue {
        HeaderValue::from_static(if self.takes_post {
            "GET, HEAD, OPTIONS, POST"
        } else {
            "GET, HEAD, OPTIONS"
        })
    }

    /// Returns the response to a method that the route does not have: 405, with a list of the methods that it
    /// has.
    #[must_use]
    pub fn not_allowed(&self) -> Response<String> {
        self.not_allowed_with(&Cors::default())
    }

    pub(super) fn not_allowed_with(&self, cors: &Cors) -> Response<String> {
        let message = "method: GET subscribes, and POST publishes where that is allowed; use one of them";
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, error_json(message), cors);
        response.headers_mut().insert(header::ALLOW, self.methods());
        response
    }

    /// Returns the response to OPTIONS, whose origin was checked: to a preflight, or to a client that asks for
    /// the methods.
    pub(super) fn options(&self, headers: &HeaderMap, cors: &Cors) -> Response<String> {
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(header::ALLOW, self.methods());
        allow(answer, cors);
        vary(answer, "origin, access-control-request-method, access-control-request-headers");
        if cors.is_granted() && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods());
            if let Ok(names) = HeaderValue::try_from(self.policy.request_headers()) {
                answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
            }
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        }
        response
    }
}

pub(super) fn text(status: StatusCode, json: String, cors: &Cors) -> Response<String> {
    let mut response = json_response(status, json);
    allow(response.headers_mut(), cors);
    response
}
