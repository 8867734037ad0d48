package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// parallelLayers is how many layers are downloaded at a time.
const parallelLayers = 3

// downloadLayers puts the compressed layers of img into dir and returns their
// files, the lowest layer first. A file there is whole and has the digest that
// its name says; one that is there already is not downloaded again. The caller
// holds the program's lock, so a partial file is one that a killed process left.
func (s *Stack) downloadLayers(ctx context.Context, img v1.Image, dir string, progress *progress) ([]string, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	manifest, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	partial, _ := filepath.Glob(filepath.Join(dir, "partial-*"))
	for _, file := range partial {
		_ = os.Remove(file)
	}
	bytes := &bytesDone{progress: progress}
	for _, l := range manifest.Layers {
		bytes.total += l.Size
	}
	if bytes.total > s.limits.bytes {
		return nil, fmt.Errorf("its layers are %s, more than the %s that are allowed", size(uint64(bytes.total)), size(uint64(s.limits.bytes)))
	}
	// Compressed layers, their content, and some air.
	if err := s.checkBytes(uint64(bytes.total)*4+bytesFixed/4, s.cfg.Cache); err != nil {
		return nil, err
	}
	bytes.add(0)
	files := make([]string, len(layers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelLayers)
	for i, layer := range layers {
		digest := manifest.Layers[i].Digest
		files[i] = filepath.Join(dir, digest.Algorithm+"-"+digest.Hex)
		group.Go(func() error {
			if info, err := os.Stat(files[i]); err == nil && info.Size() == manifest.Layers[i].Size {
				bytes.add(info.Size())
				return nil
			}
			if err := downloadBlob(ctx, layer, files[i], bytes); err != nil {
				return fmt.Errorf("layer %s: %w", digest, err)
			}
			return nil
		})
	}
	return files, group.Wait()
}

// downloadBlob writes the compressed layer to file, under another name until all
// of it is there and its digest is right.
func downloadBlob(ctx context.Context, layer v1.Layer, file string, done *bytesDone) error {
	body, err := layer.Compressed() // fails at its end if the digest is wrong
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.CreateTemp(filepath.Dir(file), "partial-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(io.MultiWriter(f, done), contextReader{ctx, body})
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// contextReader is a reader that fails once its context is cancelled.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// bytesDone adds up what several downloads have written.
type bytesDone struct {
	mu          sync.Mutex
	done, total int64
	progress    *progress
}

func (b *bytesDone) add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done += n
	b.progress.set(PhaseDownload, b.done, b.total)
}

func (b *bytesDone) Write(p []byte) (int, error) {
	b.add(int64(len(p)))
	return len(p), nil
}
