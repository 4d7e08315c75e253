//! The kernel's error numbers with their names and meanings (errno(3)).

use core::fmt;

/// An error number as the kernel returned it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub u16);

macro_rules! errnos {
    ($($number:literal $name:ident $meaning:literal)*) => {
        #[allow(missing_docs)]
        impl Errno {
            $(pub const $name: Errno = Errno($number);)*
        }

        impl Errno {
            /// The symbolic name, such as `EPERM`; `E?` for a number that is not in the table.
            pub fn name(self) -> &'static str {
                match self.0 { $($number => stringify!($name),)* _ => "E?" }
            }

            /// The meaning in words, as strerror(3) gives it.
            pub fn meaning(self) -> &'static str {
                match self.0 { $($number => $meaning,)* _ => "unknown error" }
            }
        }
    };
}

errnos! {
    1 EPERM "operation not permitted"
    2 ENOENT "no such file or directory"
    3 ESRCH "no such process"
    4 EINTR "interrupted system call"
    5 EIO "input/output error"
    6 ENXIO "no such device or address"
    7 E2BIG "argument list too long"
    8 ENOEXEC "exec format error"
    9 EBADF "bad file descriptor"
    10 ECHILD "no child processes"
    11 EAGAIN "resource temporarily unavailable"
    12 ENOMEM "cannot allocate memory"
    13 EACCES "permission denied"
    14 EFAULT "bad address"
    15 ENOTBLK "block device required"
    16 EBUSY "device or resource busy"
    17 EEXIST "file exists"
    18 EXDEV "invalid cross-device link"
    19 ENODEV "no such device"
    20 ENOTDIR "not a directory"
    21 EISDIR "is a directory"
    22 EINVAL "invalid argument"
    23 ENFILE "too many open files in system"
    24 EMFILE "too many open files"
    25 ENOTTY "inappropriate ioctl for device"
    26 ETXTBSY "text file busy"
    27 EFBIG "file too large"
    28 ENOSPC "no space left on device"
    29 ESPIPE "illegal seek"
    30 EROFS "read-only file system"
    31 EMLINK "too many links"
    32 EPIPE "broken pipe"
    33 EDOM "numerical argument out of domain"
    34 ERANGE "numerical result out of range"
    36 ENAMETOOLONG "file name too long"
    38 ENOSYS "function not implemented"
    39 ENOTEMPTY "directory not empty"
    40 ELOOP "too many levels of symbolic links"
    61 ENODATA "no data available"
    62 ETIME "timer expired"
    71 EPROTO "protocol error"
    75 EOVERFLOW "value too large for defined data type"
    87 EUSERS "too many users"
    88 ENOTSOCK "socket operation on non-socket"
    95 EOPNOTSUPP "operation not supported"
    98 EADDRINUSE "address already in use"
    104 ECONNRESET "connection reset by peer"
    110 ETIMEDOUT "connection timed out"
    111 ECONNREFUSED "connection refused"
    116 ESTALE "stale file handle"
    122 EDQUOT "disk quota exceeded"
    126 ENOKEY "required key not available"
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.meaning(), self.name())
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Errno {}
