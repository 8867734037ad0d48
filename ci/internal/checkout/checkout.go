// Package checkout finds the lab's sources on this machine, and the files that a lab is
// made from: those of the checkout, or without one those built into this program.
package checkout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module is the lab's Go module. The first line of a checkout's go.mod names it.
const Module = "github.com/lgtm-lab/lgtm-lab"

// ErrOutside says that the working directory is not in a checkout of the lab.
var ErrOutside = errors.New("not in a checkout of the lab")

// Root returns the root of the checkout that the working directory is in. It
// fails with [ErrOutside] when the working directory is outside of a checkout.
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
			return "", fmt.Errorf("%s is %w, and this needs the lab's sources. Get them with `git clone https://%s`, change to that folder and call again", wd, ErrOutside, Module)
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
	return strings.TrimSpace(first) == "module "+Module
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
