use std::{
    error, fmt, fs, io,
    path::{Path, PathBuf},
};

/// The cursor, in a file or only in memory.
pub(crate) struct State {
    path: Option<PathBuf>,
    last_event_id: String,
}

impl State {
    /// Reads the file; one that does not exist yet is empty.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, StateError> {
        let Some(path) = path else { return Ok(Self { path: None, last_event_id: String::new() }) };
        match fs::read_to_string(path) {
            // An editor or `echo` ends the file with a line feed.
            Ok(text) => Ok(Self { path: Some(path.to_owned()), last_event_id: text.trim().to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Self { path: Some(path.to_owned()), last_event_id: String::new() })
            }
            Err(error) => Err(StateError { path: path.to_owned(), error }),
        }
    }

    pub(crate) fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Replaces the whole file, so that it holds a cursor at any moment.
    pub(crate) fn save(&mut self, last_event_id: &str) -> Result<(), StateError> {
        let Some(path) = self.path.as_deref().filter(|_| last_event_id != self.last_event_id) else {
            return Ok(());
        };
        let mut draft = path.to_owned().into_os_string();
        draft.push(".new");
        let saved = fs::write(&draft, last_event_id).and_then(|()| fs::rename(&draft, path));
        saved.map_err(|error| StateError { path: path.to_owned(), error })?;
        last_event_id.clone_into(&mut self.last_event_id);
        Ok(())
    }
}

/// The file cannot be read or written.
#[derive(Debug)]
pub(crate) struct StateError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--state: the file `{}` cannot be used: {}", self.path.display(), self.error)
    }
}

impl error::Error for StateError {}
