/// Returns the words of a prompt, each with the spaces before it, and the last one also with those after it:
/// together they are the prompt.
///
/// ```
/// let tokens: Vec<_> = example_common::tokens("so it  goes ").collect();
/// assert_eq!(tokens, ["so", " it", "  goes "]);
/// ```
pub fn tokens(prompt: &str) -> impl Iterator<Item = &str> + Send {
    let mut rest = prompt;
    std::iter::from_fn(move || {
        let word = rest.find(|c: char| !c.is_whitespace())?;
        let end = rest.get(word..)?.find(char::is_whitespace).map_or(rest.len(), |len| word + len);
        let end = if rest.get(end..)?.trim_start().is_empty() { rest.len() } else { end };
        let (token, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(token)
    })
}
