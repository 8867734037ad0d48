// Package checkout finds the lab's sources on this machine.
package checkout

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is the first line of the checkout's go.mod.
const module = "module github.com/lgtm-lab/lgtm-lab"

// Root returns the root of the checkout that the working directory is in. It
// fails when the working directory is outside of a checkout.
func Root() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if isRoot(dir) {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", fmt.Errorf("%s is not in a checkout of the lab; change to one and call again", wd)
		}
	}
}

func isRoot(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	defer f.Close()
	first, _ := bufio.NewReader(f).ReadString('\n')
	return strings.TrimSpace(first) == module
}

// Commit describes the checkout's commit as `git describe` does, with -dirty
// behind it when files were edited. It returns "" when git cannot tell.
func Commit(ctx context.Context) string {
	root, err := Root()
	if err != nil {
		return ""
	}
	out, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
