package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/progress"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
)

// env holds the things that every command works with: the environment, where it prints to,
// and the flags that choose the lab.
type env struct {
	getenv         func(string) string
	stdout, stderr io.Writer
	dir            string
	target         targetFlags

	once    sync.Once
	printer *progress.Printer // see progress
}

// imageLock loads an image lock from a file, or from the checkout if that is "".
func (e *env) imageLock(file string) (images.Lock, error) {
	if file == "" {
		root, err := checkout.Root()
		if err != nil {
			return images.Lock{}, err
		}
		file = filepath.Join(root, "config", "images.json")
	}
	return images.Load(file)
}

// stack returns the stack of the checkout, with the images of the lock in a file, or of
// the checkout's own lock if that file is "".
func (e *env) stack(mode stack.Mode, cache, lock string) (*stack.Stack, error) {
	root, err := checkout.Root()
	if err != nil {
		return nil, err
	}
	pinned, err := e.imageLock(lock)
	if err != nil {
		return nil, err
	}
	return stack.New(stack.Config{
		Root: root, Cache: cache, Mode: mode, Images: pinned, Progress: stack.Render(e.progress()),
	})
}

// oneOf checks the value of a flag.
func oneOf(flag, value string, valid ...string) error {
	if slices.Contains(valid, value) {
		return nil
	}
	return usageError{fmt.Errorf("--%s %q: want %s", flag, value, strings.Join(valid, ", "))}
}
