//! Lists of names with quality values, as in `Accept` and `Accept-Encoding`: RFC 9110 section 12.4.2.

/// The quality value 1, in thousandths.
pub(super) const Q_MAX: u16 = 1_000;

/// Returns the names of a list in lower case, each with its quality value in thousandths: [`Q_MAX`] if none is given,
/// `None` if it is invalid.
pub(super) fn quality_values(list: &str) -> impl Iterator<Item = (String, Option<u16>)> {
    list.split(',').filter_map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let q = parts.find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case("q").then(|| parse_q(value))
        });
        Some((name.to_ascii_lowercase(), q.unwrap_or(Some(Q_MAX))))
    })
}

/// Parses a quality value to thousandths. A smaller positive value becomes 1, because only 0 refuses.
fn parse_q(q: &str) -> Option<u16> {
    let q = q.trim().parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q))?;
    let least = u16::from(q > 0.0);
    // The value is in range, so the cast loses nothing.
    Some(((q * f32::from(Q_MAX)).round() as u16).max(least))
}
