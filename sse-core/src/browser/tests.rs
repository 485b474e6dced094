use super::*;

fn get(none_match: &[&str]) -> Response<String> {
    let mut request = HeaderMap::new();
    for value in none_match {
        request.append(IF_NONE_MATCH, value.parse().unwrap());
    }
    resumable_js(&request)
}

#[test]
fn a_browser_that_has_the_module_gets_304() {
    let first = get(&[]);
    assert_eq!((first.status(), first.body().as_str()), (StatusCode::OK, RESUMABLE_JS));
    assert_eq!(first.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert_eq!(first.headers()[CACHE_CONTROL], "no-cache");
    assert_eq!(first.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let etag = first.headers()[ETAG].to_str().unwrap();
    for none_match in
        [&[etag][..], &["*"], &[&format!("W/{etag}")], &[&format!("\"x\", {etag}")], &["\"x\"", etag]]
    {
        let again = get(none_match);
        assert_eq!((again.status(), again.body().as_str()), (StatusCode::NOT_MODIFIED, ""), "{none_match:?}");
        assert_eq!(again.headers()[ETAG], etag);
    }
    for none_match in ["\"x\"", "", "x", &etag.replace('"', "")] {
        assert_eq!(get(&[none_match]).status(), StatusCode::OK, "{none_match}");
    }
}
