//! The target of a request, and the data that is sent with it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};

use super::{
    Redirects,
    disconnect::InvalidRedirect,
    headers,
    location::{self, Origin},
};

/// The application's request, and the target of the redirects so far.
#[derive(Debug)]
pub(super) struct Target {
    headers: HeaderMap,
    body: Bytes,
    /// The origin of the application's own address: its headers are sent only there.
    home: Origin,
    /// The origin of the present cursor: the cursor is sent only there.
    cursor_of: Origin,
    redirects: Redirects,
    accept_encoding: HeaderValue,
    /// The target with which the next connection begins.
    start: Place,
    /// The present target of this connection.
    here: Place,
    hops: u32,
    /// Whether this connection has followed only permanent redirects.
    is_permanent: bool,
}

#[derive(Debug, Clone)]
struct Place {
    uri: Uri,
    method: Method,
    has_body: bool,
    /// Whether another origin than the application's led here, perhaps back to the first origin. A property of
    /// the target, not of the connection: a remembered target is still one that another origin has chosen.
    has_crossed: bool,
}

impl Target {
    pub(super) fn new(request: Request<Bytes>, redirects: Redirects, gzip: bool) -> Self {
        let (parts, body) = request.into_parts();
        let home = Origin::of(&parts.uri);
        let start = Place { uri: parts.uri, method: parts.method, has_body: true, has_crossed: false };
        // Without the header a server may choose any coding.
        let accept_encoding = HeaderValue::from_static(if gzip { "gzip, deflate" } else { "identity" });
        Self {
            headers: parts.headers,
            body,
            cursor_of: home.clone(),
            home,
            redirects,
            accept_encoding,
            here: start.clone(),
            start,
            hops: 0,
            is_permanent: true,
        }
    }

    /// Returns to the target with which a connection begins.
    pub(super) fn begin(&mut self) {
        self.here = self.start.clone();
        self.hops = 0;
        self.is_permanent = true;
    }

    /// Returns the address of this connection.
    pub(super) fn uri(&self) -> &Uri {
        &self.here.uri
    }

    /// Returns `true` if a repeated request changes nothing on the server.
    pub(super) fn is_safe(&self) -> bool {
        matches!(self.start.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    /// Records that the cursor has changed on this connection.
    pub(super) fn cursor_came(&mut self) {
        self.cursor_of = Origin::of(&self.here.uri);
    }

    /// Returns the request to send now.
    pub(super) fn request(&self, last_event_id: &str) -> Request<Bytes> {
        let origin = Origin::of(&self.here.uri);
        let mut all = HeaderMap::with_capacity(self.headers.len() + 4);
        if let Some(content_type) = self.headers.get(header::CONTENT_TYPE).filter(|_| self.here.has_body) {
            all.insert(header::CONTENT_TYPE, content_type.clone());
        }
        all.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        all.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        all.insert(header::ACCEPT_ENCODING, self.accept_encoding.clone());
        if origin == self.home && !self.here.has_crossed {
            for name in self.headers.keys() {
                if !self.here.has_body && name.as_str().starts_with("content-") {
                    continue;
                }
                all.remove(name);
                for value in self.headers.get_all(name) {
                    all.append(name, value.clone());
                }
            }
        }
        match headers::last_event_id(last_event_id) {
            Some(value) if origin == self.cursor_of => {
                all.insert(LAST_EVENT_ID, value);
            }
            Some(_) => tracing::warn!(
                uri = %self.here.uri,
                "redirected to another origin: the last event id is not sent there, events may be missed"
            ),
            None if !last_event_id.is_empty() => tracing::warn!(
                uri = %self.here.uri,
                "the last event id cannot be a header and is not sent, events may be missed"
            ),
            None => {}
        }
        let body = if self.here.has_body { self.body.clone() } else { Bytes::new() };
        let mut request = Request::new(body);
        *request.method_mut() = self.here.method.clone();
        *request.uri_mut() = self.here.uri.clone();
        *request.headers_mut() = all;
        request
    }

    /// Follows a redirect, as in the Fetch standard's "HTTP-redirect fetch".
    pub(super) fn follow(
        &mut self,
        status: StatusCode,
        location: &HeaderValue,
    ) -> Result<(), InvalidRedirect> {
        let text = || String::from_utf8_lossy(location.as_bytes()).into_owned();
        if self.hops >= self.redirects.most {
            return Err(InvalidRedirect::TooMany { most: self.redirects.most });
        }
        self.hops += 1;
        let uri = (!location.as_bytes().trim_ascii().is_empty())
            .then(|| location::resolve(&self.here.uri, location.as_bytes()))
            .flatten()
            .filter(|uri| location::check(uri).is_ok())
            .ok_or_else(|| InvalidRedirect::Location { location: text() })?;
        let origin = Origin::of(&uri);
        if self.redirects.same_origin && origin != Origin::of(&self.here.uri) {
            return Err(InvalidRedirect::CrossOrigin { location: text() });
        }
        if self.home.is_secure() && !origin.is_secure() {
            return Err(InvalidRedirect::Insecure { location: text() });
        }
        let mut to = Place { uri, ..self.here.clone() };
        to.has_crossed |= origin != self.home;
        let becomes_get = match status {
            StatusCode::SEE_OTHER => !matches!(to.method, Method::GET | Method::HEAD),
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => to.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            to.method = Method::GET;
            to.has_body = false;
        }
        if to.has_crossed && to.has_body && !self.body.is_empty() && !self.redirects.cross_origin_body {
            return Err(InvalidRedirect::Body { location: text() });
        }
        self.here = to;
        self.is_permanent &= matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT);
        if self.is_permanent {
            self.start = self.here.clone();
        }
        Ok(())
    }
}

/// The standard's request header.
pub(super) const LAST_EVENT_ID: header::HeaderName = header::HeaderName::from_static("last-event-id");

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: Method) -> Target {
        let method_has_body = method == Method::POST;
        let request = Request::builder()
            .method(method)
            .uri("http://a.example/start")
            .header("authorization", "secret")
            .header("content-type", "text/plain")
            .body(if method_has_body { Bytes::from_static(b"body") } else { Bytes::new() });
        Target::new(request.unwrap(), Redirects::default(), false)
    }

    fn follow(target: &mut Target, status: u16, location: &str) {
        target.follow(StatusCode::from_u16(status).unwrap(), &location.parse().unwrap()).unwrap();
    }

    #[test]
    fn g16_no_credentials_and_no_cursor_cross_an_origin() {
        let mut target = target(Method::GET);
        let request = target.request("7");
        assert_eq!(request.headers()["authorization"], "secret");
        assert_eq!(request.headers()["last-event-id"], "7");
        follow(&mut target, 307, "http://b.example/");
        let request = target.request("7");
        assert!(!request.headers().contains_key("authorization"));
        assert!(!request.headers().contains_key("last-event-id"));
        // The other origin chose the way back home: it must not direct the application's credentials.
        follow(&mut target, 307, "http://a.example/other");
        assert!(!target.request("7").headers().contains_key("authorization"));
        target.begin();
        assert_eq!(target.request("7").headers()["authorization"], "secret");
    }

    #[test]
    fn g16_a_remembered_redirect_stays_the_other_origins_choice() {
        for statuses in [[301, 307], [308, 302], [301, 301], [308, 308]] {
            let mut target = target(Method::GET);
            follow(&mut target, statuses[0], "http://b.example/");
            for _ in 0..3 {
                target.begin();
                assert!(!target.request("").headers().contains_key("authorization"), "{statuses:?}");
                if target.uri().host() == Some("b.example") {
                    follow(&mut target, statuses[1], "http://a.example/admin/delete");
                }
                assert_eq!(target.uri().path(), "/admin/delete");
                assert!(!target.request("").headers().contains_key("authorization"), "{statuses:?}");
            }
        }
    }

    #[test]
    fn g16_a_body_crosses_an_origin_only_when_allowed() {
        for status in [307, 308] {
            let mut post = target(Method::POST);
            let to = HeaderValue::from_static("http://b.example/");
            let followed = post.follow(StatusCode::from_u16(status).unwrap(), &to);
            assert!(matches!(followed, Err(InvalidRedirect::Body { .. })), "{status}: {followed:?}");
            // The target is unchanged, and the next request may be sent.
            assert_eq!(post.uri().host(), Some("a.example"));
            follow(&mut post, 303, "http://b.example/");
            assert_eq!((post.request("").method(), post.request("").body().len()), (&Method::GET, 0));

            let mut allowed = target(Method::POST);
            allowed.redirects = Redirects::default().cross_origin_body();
            follow(&mut allowed, status, "http://b.example/");
            let request = allowed.request("");
            assert_eq!(request.body(), "body");
            assert!(!request.headers().contains_key("authorization"));
        }
    }

    #[test]
    fn g16_https_does_not_become_http() {
        let http = HeaderValue::from_static("http://a.example/");
        let request = Request::builder().uri("https://a.example/").body(Bytes::new()).unwrap();
        let mut secure = Target::new(request, Redirects::default(), false);
        for by in ["/", "https://b.example/"] {
            secure.begin();
            follow(&mut secure, 302, by);
            let down = secure.follow(StatusCode::FOUND, &http);
            assert!(matches!(down, Err(InvalidRedirect::Insecure { .. })), "{down:?}");
        }
        // An application that named http accepts it, but https is another origin.
        let mut target = target(Method::GET);
        follow(&mut target, 307, "https://a.example/");
        assert!(!target.request("").headers().contains_key("authorization"));
        assert_eq!(target.follow(StatusCode::FOUND, &http), Ok(()));
    }

    #[test]
    fn no_coding_is_asked_for_unless_wanted() {
        let request = |gzip, own: Option<&str>| {
            let builder = Request::builder().uri("http://a.example/");
            let builder = own.into_iter().fold(builder, |b, own| b.header("accept-encoding", own));
            let target = Target::new(builder.body(Bytes::new()).unwrap(), Redirects::default(), gzip);
            target.request("").headers()["accept-encoding"].to_str().unwrap().to_owned()
        };
        assert_eq!(request(false, None), "identity");
        assert_eq!(request(true, None), "gzip, deflate");
        assert_eq!(request(false, Some("br")), "br");
        assert_eq!(request(true, Some("br")), "br");
    }

    #[test]
    fn g16_a_cursor_goes_back_to_the_origin_that_gave_it() {
        let mut target = target(Method::GET);
        follow(&mut target, 302, "http://b.example/");
        target.cursor_came();
        target.begin();
        assert!(!target.request("b-1").headers().contains_key("last-event-id"));
        follow(&mut target, 302, "http://b.example/");
        assert_eq!(target.request("b-1").headers()["last-event-id"], "b-1");
    }

    #[test]
    fn permanent_redirects_last_until_a_temporary_one() {
        let mut target = target(Method::GET);
        follow(&mut target, 301, "/one");
        follow(&mut target, 308, "/two");
        follow(&mut target, 307, "/three");
        follow(&mut target, 301, "/four");
        assert_eq!(target.uri().path(), "/four");
        target.begin();
        assert_eq!(target.uri().path(), "/two");
    }

    #[test]
    fn a_redirect_of_a_post_becomes_a_get_as_in_fetch() {
        for (status, method, body) in
            [(301, "GET", ""), (302, "GET", ""), (303, "GET", ""), (307, "POST", "body")]
        {
            let mut target = target(Method::POST);
            follow(&mut target, status, "/next");
            let request = target.request("");
            assert_eq!(request.method(), method, "{status}");
            assert_eq!(request.body(), body, "{status}");
            assert_eq!(request.headers().contains_key("content-type"), !body.is_empty(), "{status}");
        }
    }

    #[test]
    fn redirects_are_bounded_and_checked() {
        let mut target = target(Method::GET);
        let to = |text: &str| HeaderValue::from_str(text).unwrap();
        for _ in 0..20 {
            follow(&mut target, 302, "/again");
        }
        let again = target.follow(StatusCode::FOUND, &to("/again"));
        assert_eq!(again, Err(InvalidRedirect::TooMany { most: 20 }));
        for bad in ["", " ", "ftp://a.example/", "http://user:pass@a.example/", "mailto:a@b.example"] {
            target.begin();
            let followed = target.follow(StatusCode::FOUND, &to(bad));
            assert!(matches!(followed, Err(InvalidRedirect::Location { .. })), "{bad}");
        }
        target.begin();
        target.redirects = Redirects::default().same_origin();
        let crossed = target.follow(StatusCode::FOUND, &to("https://a.example/"));
        assert!(matches!(crossed, Err(InvalidRedirect::CrossOrigin { .. })));
    }
}
