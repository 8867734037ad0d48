package local

import "syscall"

// onlyIPv6 does nothing: it is so by default here.
func onlyIPv6(_, _ string, _ syscall.RawConn) error { return nil }
