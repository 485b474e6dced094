//! Lists of names with weights, as in `Accept` and `Accept-Encoding`: RFC 9110 section 12.4.2.

/// The weight 1 in thousandths.
pub(crate) const WHOLE: u16 = 1_000;

/// Returns the names of a list in lower case, each with its weight in thousandths: [`WHOLE`] if none is given,
/// `None` if it is invalid.
pub(crate) fn weighted(list: &str) -> impl Iterator<Item = (String, Option<u16>)> {
    list.split(',').filter_map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let weight = parts.find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case("q").then(|| thousandths(value))
        });
        Some((name.to_ascii_lowercase(), weight.unwrap_or(Some(WHOLE))))
    })
}

/// Returns a weight in thousandths. A smaller positive weight becomes 1, because only 0 refuses.
fn thousandths(weight: &str) -> Option<u16> {
    let weight = weight.trim().parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight))?;
    let least = u16::from(weight > 0.0);
    // The value is in range, so the cast loses nothing.
    Some(((weight * f32::from(WHOLE)).round() as u16).max(least))
}
