package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
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

// files returns the configuration that this call uses, and says which one that is.
func (e *env) files() checkout.Files {
	f := checkout.Find()
	if f.Root != "" {
		e.say("configuration: that of the checkout " + f.Root)
	} else {
		e.say("configuration: built into this program, lab " + command.Version())
	}
	return f
}

// imageLock loads an image lock from a file, or if that is "" the lock of the checkout or of
// this program.
func (e *env) imageLock(file string) (images.Lock, error) {
	if file != "" {
		return images.Load(file)
	}
	f := checkout.Find()
	if f.Root != "" {
		return images.Load(filepath.Join(f.Root, "config", "images.json"))
	}
	return images.LoadFS(f, "config/images.json")
}

// stack returns the stack of the checkout or of this program, with the images of the lock
// in a file, or of the usual lock if that file is "". archives may name a directory with
// images as files. full is for a stack without lean programs.
func (e *env) stack(mode stack.Mode, cache, lock, archives string, full bool) (*stack.Stack, error) {
	pinned, err := e.imageLock(lock)
	if err != nil {
		return nil, err
	}
	files := checkout.Find()
	return stack.New(stack.Config{
		Root: files.Root, Files: files, Full: full, Cache: cache, Mode: mode, Images: pinned, Archives: archives, Progress: stack.Render(e.progress()),
	})
}

// oneOf checks the value of a flag.
func oneOf(flag, value string, valid ...string) error {
	if slices.Contains(valid, value) {
		return nil
	}
	return usageError{fmt.Errorf("--%s %q: want %s", flag, value, strings.Join(valid, ", "))}
}
