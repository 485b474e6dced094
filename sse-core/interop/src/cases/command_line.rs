use sse_testkit::{Outcome, Request};

use crate::App;

/// An invalid flag prints one line on stderr that names it.
///
/// # Errors
/// If a check fails.
pub async fn a_bad_flag_is_one_line_and_exit_2(program: &str) -> Outcome {
    let bad: [&[&str]; 17] = [
        &["--port", "3000"],
        &["3000"],
        &["--addr"],
        &["--addr", "nowhere"],
        &["--history", "cassette"],
        &["--history", "file:"],
        &["--history", "file:/nowhere/at/all"],
        &["--name", ""],
        &["--name", "a b"],
        &["--retain", "0"],
        &["--retain", "many"],
        &["--keep-alive", "0"],
        &["--keep-alive", "NaN"],
        &["--drain", "-1"],
        &["--max-age=soon"],
        &["--origin"],
        &["--origin", "app.example.com"],
    ];
    for arguments in bad {
        let ended = App::run(program, arguments).await?;
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {}", ended.stderr);
        let flag = arguments[0].split('=').next().unwrap_or_default();
        assert!(ended.stderr.contains(flag), "{arguments:?}: {}", ended.stderr);
    }
    Ok(())
}

/// The help names every flag.
///
/// # Errors
/// If a check fails.
pub async fn help_is_on_stdout(program: &str) -> Outcome {
    let ended = App::run(program, &["--help"]).await?;
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    for flag in
        ["--addr", "--history", "--name", "--retain", "--keep-alive", "--drain", "--max-age", "--origin"]
    {
        assert!(ended.stdout.contains(flag), "{flag} in {}", ended.stdout);
    }
    Ok(())
}

/// A port in use is reported in one line, and not as an error of the command line.
///
/// # Errors
/// If a check fails.
pub async fn an_address_in_use_is_one_line(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let addr = app.address().to_string();
    let ended = App::run(program, &["--addr", &addr]).await?;
    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains(&addr), "{}", ended.stderr);
    app.json(200, Request::get("/stats")).await?;
    Ok(())
}
