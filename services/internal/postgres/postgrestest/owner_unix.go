//go:build !windows

package postgrestest

import (
	"os"
	"os/exec"
	"syscall"
)

// nobody is the user that the server runs as in a test of root's: it refuses to run as
// root.
const nobody = 65534

// own gives the server's folder to the user that the server runs as.
func (s *Server) own() error {
	if os.Getuid() != 0 {
		return nil
	}
	return os.Chown(s.dir, nobody, nobody)
}

func (s *Server) asOwner(cmd *exec.Cmd) {
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}
