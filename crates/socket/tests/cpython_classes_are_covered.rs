//! What CPython tests of its `socket` is tested here, in words of our own, or there is a reason
//! why not.
//!
//! CPython's `Lib/test/test_socket.py` is the longest list of what people rely on. Its classes
//! stand below, and the tests of the one that is about everything. Each is named by the comment
//! of a test in this folder, so that the promise can be found from there, or has its reason here.
//! That the test named keeps the promise is for people to check.

#[path = "support/oracle.rs"]
mod oracle;

use std::collections::BTreeSet;
use std::path::Path;

use oracle::{PATIENCE, python, watchdog};

/// The classes that have tests.
const CLASSES: &str = "
BasicBluetoothTest BasicCANTest BasicHyperVTest BasicQIPCRTRTest BasicRDSTest BasicSocketPairTest
BasicTCPTest BasicTCPTest2 BasicUDPLITETest BasicUDPTest BasicVSOCKTest BufferIOTest CANTest
CmsgMacroTests ContextManagersTest CreateServerFunctionalTest CreateServerTest
FileObjectClassTestCase GeneralModuleTests ISOTPTest InheritanceTest InterruptedRecvTimeoutTest
InterruptedSendTimeoutTest J1939Test LineBufferedFileObjectClassTestCase LinuxKernelCryptoAPI
NetworkConnectionAttributesTest NetworkConnectionBehaviourTest NetworkConnectionNoServer
NonBlockingTCPTests NonblockConstantTest PurePythonSocketPairTest RDSTest
RecvmsgIntoRFC3542AncillaryUDP6Test RecvmsgIntoRFC3542AncillaryUDPLITE6Test
RecvmsgIntoSCMRightsStreamTest RecvmsgIntoSCTPStreamTest RecvmsgIntoTCPTest RecvmsgIntoUDP6Test
RecvmsgIntoUDPLITE6Test RecvmsgIntoUDPLITETest RecvmsgIntoUDPTest RecvmsgIntoUnixStreamTest
RecvmsgRFC3542AncillaryUDP6Test RecvmsgRFC3542AncillaryUDPLITE6Test RecvmsgSCMRightsStreamTest
RecvmsgSCTPStreamTest RecvmsgTCPTest RecvmsgUDP6Test RecvmsgUDPLITE6Test RecvmsgUDPLITETest
RecvmsgUDPTest RecvmsgUnixStreamTest SendRecvFdsTests SendfileUsingSendTest
SendfileUsingSendfileTest SendmsgSCTPStreamTest SendmsgTCPTest SendmsgUDP6Test SendmsgUDPLITE6Test
SendmsgUDPLITETest SendmsgUDPTest SendmsgUnixStreamTest SmallBufferedFileObjectClassTestCase
TCPCloserTest TCPTimeoutTest TIPCTest TIPCThreadableTest TestExceptions TestLinuxAbstractNamespace
TestMSWindowsTCPFlags TestMacOSTCPFlags TestSocketSharing TestUnixDomain
ThreadedVSOCKSocketStreamTest UDPLITETimeoutTest UDPTimeoutTest UnbufferedFileObjectClassTestCase
UnicodeReadFileObjectClassTestCase UnicodeReadWriteFileObjectClassTestCase
UnicodeWriteFileObjectClassTestCase
";

/// The tests of `GeneralModuleTests`, which is about all of the module.
const GENERAL: &str = "
test3542SocketOptions testCloseException testCrucialConstants testCrucialIpProtoConstants
testDefaultTimeout testGetServBy testGetSockOpt testGetaddrinfo testHostnameRes
testIPv4_inet_aton_fourbytes testIPv4toString testIPv6toString testInterfaceNameIndex
testInterpreterCrash testInvalidInterfaceIndexToName testInvalidInterfaceNameToIndex
testNewAttributes testNtoH testNtoHErrors testRefCountGetNameInfo testSendAfterClose
testSendtoErrors testSetSockOpt testSockName testSocketError testStringToIPv4 testStringToIPv6
testWindowsSpecificConstants test_SocketType_is_socketobject test__sendfile_use_sendfile
test_addressfamily_enum test_addressinfo_enum test_csocket_repr test_dealloc_warn test_flowinfo
test_getaddrinfo_int_port_overflow test_getaddrinfo_ipv6_basic
test_getaddrinfo_ipv6_scopeid_numeric test_getaddrinfo_ipv6_scopeid_symbolic
test_getfqdn_filter_localhost test_getnameinfo test_getnameinfo_ipv6_scopeid_numeric
test_getnameinfo_ipv6_scopeid_symbolic test_getsockaddrarg test_host_resolution
test_host_resolution_bad_address test_idna test_listen_backlog test_listen_backlog_overflow
test_makefile_invalid_mode test_makefile_mode test_msgflag_enum test_name_closed_socketio
test_pickle test_repr test_sendall_interrupted test_sendall_interrupted_with_timeout
test_sethostname test_sio_loopback_fast_path test_sock_ioctl test_socket_close
test_socket_consistent_sock_type test_socket_fileno test_socket_fileno_rejects_float
test_socket_fileno_rejects_invalid_socket test_socket_fileno_rejects_negative
test_socket_fileno_rejects_other_types test_socket_fileno_requires_socket_fd
test_socket_fileno_requires_valid_fd test_socket_methods test_socketkind_enum test_str_for_enums
test_unknown_socket_family_repr test_unusable_closed_socketio test_weakref
";

const NO_SCTP: &str = "for SCTP, which is rarely built; nothing here is written for it alone";
const NO_BUS: &str =
    "exchanges frames over a device that no test machine has; addresses are tested";
const OTHER_SYSTEM: &str = "for another system than Linux";
const OBJECTS: &str = "about Python's objects, which have no counterpart";
const TYPES: &str = "about arguments that the types here do not let be written";
const TEXT: &str = "about Python's layer of encodings and newlines, which has no counterpart";

/// What no test here names, and why.
const REASONS: &[(&str, &str)] = &[
    ("BasicBluetoothTest", "for Bluetooth, which is deliberately left out"),
    ("BasicHyperVTest", OTHER_SYSTEM),
    ("BufferIOTest", "about Python's buffer objects; every receive here is into a slice"),
    ("CANTest", NO_BUS),
    ("ISOTPTest", NO_BUS),
    ("J1939Test", NO_BUS),
    ("RDSTest", "needs a module of the kernel that is rarely loaded; addresses are tested"),
    ("RecvmsgIntoSCTPStreamTest", NO_SCTP),
    ("RecvmsgSCTPStreamTest", NO_SCTP),
    ("SendmsgSCTPStreamTest", NO_SCTP),
    ("TIPCThreadableTest", "needs a module of the kernel; sending to a service by name is tested"),
    ("TestExceptions", "about the tree of Python's exception classes, and a descriptor of -1"),
    ("TestMSWindowsTCPFlags", OTHER_SYSTEM),
    ("TestMacOSTCPFlags", OTHER_SYSTEM),
    ("TestSocketSharing", OTHER_SYSTEM),
    ("UnicodeReadFileObjectClassTestCase", TEXT),
    ("UnicodeReadWriteFileObjectClassTestCase", TEXT),
    ("UnicodeWriteFileObjectClassTestCase", TEXT),
    ("test3542SocketOptions", OTHER_SYSTEM),
    ("testInterpreterCrash", OBJECTS),
    ("testNewAttributes", OBJECTS),
    ("testRefCountGetNameInfo", OBJECTS),
    ("testSendtoErrors", TYPES),
    ("testWindowsSpecificConstants", OTHER_SYSTEM),
    ("test_SocketType_is_socketobject", OBJECTS),
    ("test__sendfile_use_sendfile", "about files that are no descriptors; here a file is a File"),
    ("test_addressfamily_enum", OBJECTS),
    ("test_addressinfo_enum", OBJECTS),
    ("test_csocket_repr", OBJECTS),
    ("test_dealloc_warn", OBJECTS),
    ("test_idna", "asks a server of Python's project; the translation has tests in idna.rs"),
    ("test_makefile_invalid_mode", TYPES),
    ("test_makefile_mode", OBJECTS),
    ("test_msgflag_enum", OBJECTS),
    ("test_name_closed_socketio", OBJECTS),
    ("test_pickle", OBJECTS),
    ("test_sio_loopback_fast_path", OTHER_SYSTEM),
    ("test_sock_ioctl", OTHER_SYSTEM),
    ("test_socket_fileno_rejects_float", TYPES),
    ("test_socket_fileno_rejects_negative", TYPES),
    ("test_socket_fileno_rejects_other_types", TYPES),
    ("test_socket_fileno_requires_valid_fd", TYPES),
    ("test_socket_methods", OBJECTS),
    ("test_socketkind_enum", OBJECTS),
    ("test_str_for_enums", OBJECTS),
    ("test_unusable_closed_socketio", OBJECTS),
    ("test_weakref", OBJECTS),
];

/// The words of all comments of the tests in this folder, but for this file.
fn words_of_comments() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut words = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_file() && name != Path::new(file!()).file_name().unwrap() {
            words.extend(commented(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    words
}

fn commented(source: &str) -> impl Iterator<Item = String> {
    let comments = source.lines().filter(|line| line.trim_start().starts_with("//"));
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    comments.flat_map(move |line| line.split(move |letter| !is_part(letter))).map(str::to_owned)
}

/// Those that are neither named by a test nor have a reason.
fn uncovered<'a>(names: impl Iterator<Item = &'a str>, words: &BTreeSet<String>) -> Vec<&'a str> {
    let has_reason = |name: &str| REASONS.iter().any(|(row, _)| *row == name);
    names.filter(|name| !words.contains(*name) && !has_reason(name)).collect()
}

fn listed() -> impl Iterator<Item = &'static str> {
    CLASSES.split_whitespace().chain(GENERAL.split_whitespace())
}

#[test]
fn every_class_is_named_by_a_test_or_has_a_reason() {
    assert_eq!(uncovered(listed(), &words_of_comments()), [""; 0]);
}

#[test]
fn a_class_that_nobody_names_is_found() {
    let source = "//! `BasicTCPTest.testRecv`\nlet text = \"BasicUDPTest\";\n    /// BasicTCPTest2";
    let words = commented(source).collect();
    let names = ["BasicTCPTest", "BasicUDPTest", "BasicTCPTest2", "Basic", "BufferIOTest"];
    assert_eq!(uncovered(names.into_iter(), &words), ["BasicUDPTest", "Basic"]);
}

#[test]
fn a_reason_is_for_what_is_listed_and_not_tested() {
    let words = words_of_comments();
    for (name, reason) in REASONS {
        assert!(listed().any(|row| row == *name), "{name} is not in the lists");
        assert!(!words.contains(*name), "{name} has a test: take its reason away");
        assert!(reason.len() > 20, "{name} has no reason");
    }
}

/// The Python at hand may be newer than the lists.
#[test]
fn the_lists_have_all_that_this_machines_python_tests() {
    let _watchdog = watchdog(PATIENCE);
    const SCRIPT: &str = "
import inspect, unittest
try:
    from test import test_socket
except ImportError:
    raise SystemExit
def tests(case):
    return [name for name in dir(case) if name.startswith('test') and callable(getattr(case, name))]
for name, case in vars(test_socket).items():
    if inspect.isclass(case) and issubclass(case, unittest.TestCase) and tests(case):
        print(name)
print(*tests(test_socket.GeneralModuleTests), sep='\\n')";
    let Some(names) = python(SCRIPT, &[]) else { return };
    if names.is_empty() {
        return println!("skipped: this Python comes without its own tests");
    }
    let unknown: Vec<_> = names.iter().filter(|name| !listed().any(|row| row == *name)).collect();
    assert_eq!(unknown, [""; 0], "list it, and name it in a test or give a reason");
}
