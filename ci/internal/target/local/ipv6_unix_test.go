//go:build unix

package local

import "syscall"

// onlyIPv6 keeps a socket at [::] from taking the port of 127.0.0.1, too.
func onlyIPv6(_, _ string, c syscall.RawConn) (err error) {
	if control := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1) }); control != nil {
		return control
	}
	return err
}
