package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// headway is how much must arrive, in bytes, for a download that broke off to
// count as one that goes on: its failures are then counted anew.
const headway = 1 << 20

// stall is how long no byte may arrive before the connection is given up; tests
// shorten it.
var stall = time.Minute

// errStalled says that a connection stood still.
var errStalled = errors.New("no data arrived for a minute")

// errDigest says that other bytes have arrived than the digest names.
var errDigest = errors.New("error verifying sha256 checksum")

// download is the download of one blob, whose lock is held.
//
// go-containerregistry reads a blob from its first byte or not at all, so the
// request is made here; its transport knows schemes, credentials and tokens.
type download struct {
	client Client
	repo   name.Repository
	blob   v1.Descriptor
	file   string
	meter  *meter
}

func (d *download) run(ctx context.Context) error {
	if info, err := os.Stat(d.file); err == nil && info.Size() == d.blob.Size {
		d.meter.add(info.Size())
		return nil
	}
	f, err := os.OpenFile(partialOf(d.file), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	err = d.fill(ctx, f)
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Close()); err == nil {
		return os.Rename(f.Name(), d.file)
	}
	if info != nil && info.Size() == 0 {
		_ = os.Remove(f.Name())
	}
	return err
}

// fill completes the partial file f and compares its digest.
func (d *download) fill(ctx context.Context, f *os.File) error {
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	resumed := have > 0
	d.meter.add(have)
	since := have // where the failures are counted from
	for failed := 0; ; {
		err := d.rest(ctx, f, &have)
		if err == nil {
			err = d.compare(f)
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errDigest):
			d.meter.add(-have)
			if have, err = 0, errors.Join(err, f.Truncate(0)); !resumed {
				return fmt.Errorf("layer %s: %w", d.blob.Digest, err)
			}
			// A crash of the machine may have damaged what an earlier process wrote.
			resumed, since = false, 0
			continue
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		if have-since >= headway {
			failed, since = 0, have
		}
		if !passing(err) {
			return fmt.Errorf("layer %s: %w", d.blob.Digest, err)
		}
		if failed++; failed == tries {
			return &BrokenOff{Digest: d.blob.Digest, Have: have, Size: d.blob.Size, Err: err}
		}
		d.meter.retrying(err)
		if err := d.client.pause(ctx, failed); err != nil {
			return err
		}
	}
}

// rest downloads the bytes behind have, and appends them.
func (d *download) rest(ctx context.Context, f *os.File, have *int64) error {
	if *have > d.blob.Size { // not what was asked for
		return errDigest
	}
	if *have == d.blob.Size {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stall, func() { cancel(errStalled) })
	defer watch.Stop()
	resp, err := d.ask(ctx, *have)
	if err == nil {
		defer resp.Body.Close()
		err = d.append(f, have, resp, watch)
	}
	if errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	return err
}

// ask sends the request. The body of the answer begins at have, or at 0.
func (d *download) ask(ctx context.Context, have int64) (*http.Response, error) {
	base := d.client.Transport
	if base == nil {
		base = remote.DefaultTransport
	}
	auth, err := authn.Resolve(ctx, authn.DefaultKeychain, d.repo.Registry)
	if err != nil {
		return nil, err
	}
	authenticated, err := transport.NewWithContext(ctx, d.repo.Registry, auth, transport.NewUserAgent(base, userAgent), []string{d.repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: d.repo.Scheme(), Host: d.repo.RegistryStr(), Path: fmt.Sprintf("/v2/%s/blobs/%s", d.repo.RepositoryStr(), d.blob.Digest)}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity") // the bytes as they are, or the ranges are others
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", have, d.blob.Size-1))
	}
	resp, err := (&http.Client{Transport: authenticated}).Do(req)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(resp, http.StatusOK, http.StatusPartialContent); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// append writes the body of the answer behind the bytes that are there.
func (d *download) append(f *os.File, have *int64, resp *http.Response, watch *time.Timer) error {
	begins := resp.StatusCode == http.StatusPartialContent &&
		strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", *have))
	if !begins { // the registry does not know ranges: it sends all
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("the registry sent the range %q", resp.Header.Get("Content-Range"))
		}
		if err := f.Truncate(0); err != nil {
			return err
		}
		d.meter.add(-*have)
		*have = 0
	}
	if _, err := f.Seek(*have, io.SeekStart); err != nil {
		return err
	}
	// One byte more than there should be, to see that there is more.
	n, err := io.Copy(writerFunc(func(p []byte) (int, error) {
		watch.Reset(stall)
		n, err := f.Write(p)
		*have += int64(n)
		d.meter.add(int64(n))
		return n, err
	}), io.LimitReader(resp.Body, d.blob.Size-*have+1))
	if err == nil && *have < d.blob.Size {
		return fmt.Errorf("%d bytes: %w", n, io.ErrUnexpectedEOF)
	}
	return err
}

// compare compares the whole file with the digest.
func (d *download) compare(f *os.File) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != d.blob.Size || got != d.blob.Digest.Hex {
		return fmt.Errorf("%w: the registry sent sha256:%s, of %d bytes", errDigest, got, n)
	}
	return nil
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
