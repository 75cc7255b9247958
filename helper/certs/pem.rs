//! PEM files (RFC 7468): their blocks, and what is wrong with a file. The only user of rustls-pemfile.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::der::{self, Framing};

/// What a file is instead of the certificate or key it should hold. The texts quote nothing of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PemFault {
    /// No bytes, or nothing but white space.
    #[error("the file is empty")]
    Empty,
    /// What PowerShell's `>` writes.
    #[error("the file is UTF-16 text; save it as plain ASCII or UTF-8")]
    Utf16,
    /// Binary DER.
    #[error(
        "the file is binary (DER), not PEM; `openssl x509 -inform der` (certificates) or `openssl pkey -inform der` (keys) converts it"
    )]
    Der,
    /// Text or bytes without any block.
    #[error("the file has no PEM block (no line that starts with `-----BEGIN`)")]
    NoBlock,
    /// What git without `core.symlinks`, an unpacked archive or a cloud folder leaves of a symbolic link.
    #[error("the file has only the path of another file: a symbolic link that was copied as text; copy that file here")]
    LinkAsText,
    /// A PEM block in one line, its line breaks written as backslash and n, as in environment variables and JSON.
    #[error(
        "the PEM block has the two characters `\\n` in place of line breaks; `printf '%b' \"$(cat FILE)\"` writes real ones"
    )]
    EscapedBreaks,
    /// A block whose BEGIN line does not start at the beginning of its line, as after a paste from YAML or a mail.
    #[error("the PEM block is indented or quoted; `-----BEGIN` must be at the start of its line")]
    Indented,
    /// A signing request.
    #[error("the file contains a certificate signing request (CSR), not the certificate made from it")]
    Request,
    /// The files are swapped, or one was copied over the other.
    #[error("the file contains a private key instead of a certificate")]
    KeyInsteadOfCertificate,
    /// The files are swapped, or one was copied over the other.
    #[error("the file contains a certificate instead of a private key")]
    CertificateInsteadOfKey,
    /// Either form of a key with a passphrase.
    #[error("the private key is encrypted with a passphrase")]
    EncryptedKey,
    /// Some other PEM block, by its label.
    #[error("the file contains a `{0}` block instead")]
    OtherBlock(String),
    /// A BEGIN line without its END line: an incomplete copy, or a full disk.
    #[error("the `{0}` block has no END line: the file is truncated")]
    CutOff(String),
    /// Characters that are not base64, or too few of them.
    #[error("the text inside the `{0}` block is not valid base64: the file is damaged or was edited")]
    Base64(String),
    /// The DER ends before it should.
    #[error("the {0} in the PEM block is incomplete: lines are missing")]
    Incomplete(&'static str),
    /// Bytes after the DER.
    #[error("{1} extra bytes follow the {0} in the PEM block")]
    TrailingBytes(&'static str, usize),
    /// DER that is not what the label says.
    #[error("the PEM block does not contain a well-formed {0}")]
    Malformed(&'static str),
}

/// The labels that this program knows (RFC 7468, RFC 5958, RFC 8017, RFC 5915).
pub(super) const CERTIFICATE: &str = "CERTIFICATE";
pub(super) const REQUEST: &str = "CERTIFICATE REQUEST";
pub(super) const PKCS8: &str = "PRIVATE KEY";
pub(super) const PKCS1: &str = "RSA PRIVATE KEY";
pub(super) const SEC1: &str = "EC PRIVATE KEY";
pub(super) const ENCRYPTED_PKCS8: &str = "ENCRYPTED PRIVATE KEY";
/// What `openssl ecparam -genkey` writes before the key.
pub(super) const EC_PARAMETERS: &str = "EC PARAMETERS";

/// A label as it may be quoted: anything can be pasted between the dashes.
fn quotable(label: &str) -> &str {
    match label {
        "NEW CERTIFICATE REQUEST" => REQUEST,
        label if is_label(label) => label,
        label if label.ends_with(PKCS8) => "unknown PRIVATE KEY",
        _ => "unknown",
    }
}

/// Whether a text has the form of a label: some short words in capitals (RFC 7468 §2).
fn is_label(text: &str) -> bool {
    let is_word = |word: &str| {
        (1..=12).contains(&word.len())
            && word.bytes().all(|b| b.is_ascii_uppercase() || matches!(b, b'0'..=b'9' | b'#'))
    };
    text.len() <= 40 && text.bytes().filter(u8::is_ascii_digit).count() <= 3 && text.split(' ').all(is_word)
}

/// One block from its BEGIN line to its END line, as text.
pub(super) struct Block<'a> {
    /// What its BEGIN line says, as it may be quoted.
    pub(super) label: &'a str,
    /// Both of its lines and what is between them; to the next BEGIN or the end of the file if it is not closed.
    text: &'a [u8],
    /// Offset of `text` in the file, a byte-order mark not counted.
    start: usize,
    /// Whether there is an END line.
    closed: bool,
}

impl Block<'_> {
    /// Whether its label ends as Go's `tls.X509KeyPair` wants a key's label to end.
    pub(super) fn is_private_key(&self) -> bool {
        self.label.ends_with(PKCS8)
    }

    /// Encrypted by its label or, in the old form, by its header (RFC 1421 §4.6.1.1).
    pub(super) fn encrypted(&self) -> bool {
        self.label == ENCRYPTED_PKCS8
            || (self.is_private_key()
                && lines(self.text).any(|l| l.starts_with(b"Proc-Type:") && l.ends_with(b"ENCRYPTED")))
    }

    /// The DER inside a certificate or private key block.
    ///
    /// # Errors
    /// Cut off, not base64, or a label that rustls-pemfile does not know.
    pub(super) fn decode(&self) -> Result<Vec<u8>, PemFault> {
        use rustls_pemfile::Item;
        if !self.closed {
            return Err(PemFault::CutOff(self.label.to_owned()));
        }
        match rustls_pemfile::read_one_from_slice(self.text) {
            Ok(Some((Item::X509Certificate(der), _))) => Ok(der.as_ref().to_vec()),
            Ok(Some((Item::Pkcs8Key(der), _))) => Ok(der.secret_pkcs8_der().to_vec()),
            Ok(Some((Item::Pkcs1Key(der), _))) => Ok(der.secret_pkcs1_der().to_vec()),
            Ok(Some((Item::Sec1Key(der), _))) => Ok(der.secret_sec1_der().to_vec()),
            Ok(_) => Err(PemFault::OtherBlock(self.label.to_owned())),
            // Their error quotes lines of the file, which may be a key's: it is dropped.
            Err(_) => Err(PemFault::Base64(self.label.to_owned())),
        }
    }

    /// The bytes of a block that rustls-pemfile skips (`EC PARAMETERS`).
    pub(super) fn decode_any(&self) -> Option<Vec<u8>> {
        let body: Vec<u8> = lines(self.text).filter(|l| !l.starts_with(b"-----")).flatten().copied().collect();
        STANDARD.decode(body).ok()
    }
}

/// Lines without their ends and trailing white space; LF, CRLF and CR all end one.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| matches!(b, b'\n' | b'\r')).map(<[u8]>::trim_ascii_end)
}

/// The label of a BEGIN or END line.
fn label_of<'a>(line: &'a [u8], word: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(b"-----")?.strip_prefix(word.as_bytes())?.strip_prefix(b" ")?;
    std::str::from_utf8(rest.strip_suffix(b"-----")?).ok()
}

/// All blocks of a file. Text before, between and after them is skipped, as every PEM reader does.
///
/// # Errors
/// The faults of files without any block.
pub(super) fn blocks(bytes: &[u8]) -> Result<Vec<Block<'_>>, PemFault> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(PemFault::Utf16);
    }
    let text = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    if text.trim_ascii().is_empty() {
        return Err(PemFault::Empty);
    }
    let block = |label, start: usize, end: usize, closed| Block { label, text: &text[start..end], start, closed };
    let mut found = Vec::new();
    let mut open: Option<(&str, usize)> = None;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|r| !r.is_empty()) {
        let length = rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
        let line = rest[..length].trim_ascii_end();
        if let Some(label) = label_of(line, "BEGIN") {
            found.extend(open.map(|(label, start)| block(label, start, at, false)));
            open = Some((quotable(label), at));
        } else if let Some(label) = label_of(line, "END").map(quotable)
            && let Some((_, start)) = open.take_if(|(open, _)| *open == label)
        {
            found.push(block(label, start, at + line.len(), true));
        }
        at += length + 1;
    }
    found.extend(open.map(|(label, start)| block(label, start, text.len(), false)));
    if found.is_empty() {
        return Err(match der::framing(bytes) {
            Framing::Whole | Framing::Trailing(_) => PemFault::Der,
            Framing::Short if bytes.len() > 2 && bytes.get(1).is_some_and(|b| *b >= 0x80) => PemFault::Der,
            Framing::Short | Framing::Other if text.windows(7).any(|w| w == br"-----\n") => PemFault::EscapedBreaks,
            Framing::Short | Framing::Other if lines(text).any(|l| l.windows(11).any(|w| w == b"-----BEGIN ")) => {
                PemFault::Indented
            }
            Framing::Short | Framing::Other if is_path_of_pem(text) => PemFault::LinkAsText,
            Framing::Short | Framing::Other => PemFault::NoBlock,
        });
    }
    Ok(found)
}

/// Whether a text is nothing but the name of a file that such files have.
fn is_path_of_pem(text: &[u8]) -> bool {
    let Ok(path) = std::str::from_utf8(text.trim_ascii()) else { return false };
    let (stem, extension) = path.rsplit_once('.').unwrap_or_default();
    !stem.is_empty() && !path.contains(char::is_whitespace) && matches!(extension, "crt" | "cer" | "pem" | "key")
}

/// The fault of a file whose blocks are all of another kind.
pub(super) fn none_of_these(blocks: &[Block<'_>]) -> PemFault {
    match blocks.first() {
        Some(block) if block.label == REQUEST => PemFault::Request,
        Some(block) => PemFault::OtherBlock(block.label.to_owned()),
        None => PemFault::NoBlock,
    }
}

/// The text of a file outside its certificate and private key blocks, to be searched for secrets and never shown.
pub(super) fn outside_blocks(bytes: &[u8], blocks: &[Block<'_>]) -> String {
    let text = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    let mut rest = String::new();
    let mut at = 0;
    for block in blocks.iter().filter(|b| b.closed && (b.label == CERTIFICATE || b.is_private_key())) {
        rest.push_str(&String::from_utf8_lossy(text.get(at..block.start).unwrap_or_default()));
        rest.push('\n');
        at = block.start + block.text.len();
    }
    rest.push_str(&String::from_utf8_lossy(text.get(at..).unwrap_or_default()));
    rest
}

/// Refuses DER that is shorter or longer than its own header says.
pub(super) fn framed(der: &[u8], what: &'static str) -> Result<(), PemFault> {
    match der::framing(der) {
        Framing::Whole => Ok(()),
        Framing::Short => Err(PemFault::Incomplete(what)),
        Framing::Trailing(bytes) => Err(PemFault::TrailingBytes(what, bytes)),
        Framing::Other => Err(PemFault::Malformed(what)),
    }
}

/// Whether Go's `pem.Decode`, which the proxy uses, finds the first block: it wants `-----BEGIN ` at the start of the file or
/// right after a LF, so a byte-order mark hides that block from it, and CR-only line ends hide all.
pub(crate) fn go_finds_a_block(bytes: &[u8]) -> bool {
    !bytes.starts_with(b"\xef\xbb\xbf-----BEGIN ") && bytes.contains(&b'\n')
}

/// A PEM block with lines of 64 characters (RFC 7468 §2).
pub(super) fn encode(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}
