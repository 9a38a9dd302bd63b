//! What Python's `json.loads` says of a text that is not JSON, and where: the
//! replaced API tells its clients so.
//!
//! As of Python 3.11; later versions say more about trailing commas.

/// Deeper than this nothing is read.
const MAX_DEPTH: usize = 128;

/// Why a text is not JSON, and at which character.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JsonError {
    pub(super) message: &'static str,
    pub(super) at: usize,
}

/// The first thing that is wrong; none if Python would read the text, or if it is
/// too deep.
pub(super) fn json_error(text: &str) -> Option<JsonError> {
    let scanner = Scanner(text.as_bytes());
    let end = match scanner.value(scanner.space(0), 0) {
        Ok(end) => scanner.space(end),
        Err(Stop::TooDeep) => return None,
        Err(Stop::Error(message, at)) => {
            // No error is told in the middle of a character.
            let before = text.get(..at).unwrap_or(text);
            let at = before.chars().count();
            return Some(JsonError { message, at });
        }
    };
    let extra = text.get(..end).filter(|_| end < text.len())?;
    Some(JsonError {
        message: "Extra data",
        at: extra.chars().count(),
    })
}

enum Stop {
    /// What is wrong, and the byte at which it is.
    Error(&'static str, usize),
    TooDeep,
}

/// Each method takes the byte to begin at, and returns the one after what it read.
struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn at(&self, index: usize) -> Option<u8> {
        self.0.get(index).copied()
    }

    fn space(&self, mut index: usize) -> usize {
        while matches!(self.at(index), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            index += 1;
        }
        index
    }

    fn value(&self, index: usize, depth: usize) -> Result<usize, Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::TooDeep);
        }
        match self.at(index) {
            Some(b'"') => self.string(index),
            Some(b'{') => self.object(index + 1, depth),
            Some(b'[') => self.array(index + 1, depth),
            _ => {
                let rest = self.0.get(index..).unwrap_or_default();
                let words = ["null", "true", "false", "NaN", "Infinity", "-Infinity"];
                let word = words.iter().find(|word| rest.starts_with(word.as_bytes()));
                let length = word.map(|word| word.len()).or_else(|| number(rest));
                let length = length.ok_or(Stop::Error("Expecting value", index))?;
                Ok(index + length)
            }
        }
    }

    fn object(&self, index: usize, depth: usize) -> Result<usize, Stop> {
        let mut index = self.space(index);
        if self.at(index) == Some(b'}') {
            return Ok(index + 1);
        }
        loop {
            if self.at(index) != Some(b'"') {
                let message = "Expecting property name enclosed in double quotes";
                return Err(Stop::Error(message, index));
            }
            index = self.space(self.string(index)?);
            if self.at(index) != Some(b':') {
                return Err(Stop::Error("Expecting ':' delimiter", index));
            }
            index = self.space(self.value(self.space(index + 1), depth + 1)?);
            match self.at(index) {
                Some(b'}') => return Ok(index + 1),
                Some(b',') => index = self.space(index + 1),
                _ => return Err(Stop::Error("Expecting ',' delimiter", index)),
            }
        }
    }

    fn array(&self, index: usize, depth: usize) -> Result<usize, Stop> {
        let mut index = self.space(index);
        if self.at(index) == Some(b']') {
            return Ok(index + 1);
        }
        loop {
            index = self.space(self.value(index, depth + 1)?);
            match self.at(index) {
                Some(b']') => return Ok(index + 1),
                Some(b',') => index = self.space(index + 1),
                _ => return Err(Stop::Error("Expecting ',' delimiter", index)),
            }
        }
    }

    fn string(&self, begin: usize) -> Result<usize, Stop> {
        let unterminated = Stop::Error("Unterminated string starting at", begin);
        let mut index = begin + 1;
        loop {
            match self.at(index) {
                None => return Err(unterminated),
                Some(b'"') => return Ok(index + 1),
                Some(0..=0x1f) => return Err(Stop::Error("Invalid control character at", index)),
                Some(b'\\') => match self.at(index + 1) {
                    None => return Err(unterminated),
                    Some(b'u') => {
                        let digits = self.0.get(index + 2..index + 6).unwrap_or_default();
                        let good = digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit);
                        // Python looks for what follows before it reads the digits.
                        if !good || self.at(index + 6).is_none() {
                            return Err(Stop::Error("Invalid \\uXXXX escape", index + 1));
                        }
                        index += 6;
                    }
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => index += 2,
                    Some(_) => return Err(Stop::Error("Invalid \\escape", index)),
                },
                Some(_) => index += 1,
            }
        }
    }
}

/// Length of the number that a text begins with. What follows a good beginning is
/// not its business.
fn number(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut end = usize::from(text.first() == Some(&b'-'));
    end += match text.get(end)? {
        b'0' => 1,
        b'1'..=b'9' => digits(end),
        _ => return None,
    };
    if text.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    Some(end)
}
