package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ensureNodeImage returns the reference that the nodes are made from. When the runtime does
// not have the image, ensureNodeImage loads it from the archive; without an archive, Kind
// lets the runtime pull the image.
func (c *Cluster) ensureNodeImage(ctx context.Context) (string, error) {
	if c.NodeImage == "" && c.NodeArchive == "" {
		return "", errors.New("no node image is given")
	}
	if c.NodeImage != "" && c.hasImage(ctx, c.NodeImage) {
		return c.NodeImage, nil
	}
	if c.NodeArchive == "" {
		c.say("cluster: pulling %s", withoutDigest(c.NodeImage))
		return c.NodeImage, nil
	}
	archive, err := ReadArchive(c.NodeArchive)
	if err != nil {
		return "", err
	}
	if len(archive.Tags) == 0 {
		return "", fmt.Errorf("%s: the image in it has no name", c.NodeArchive)
	}
	tag := archive.Tags[0]
	if out, err := c.docker(ctx, nil, "image", "inspect", "--format", "{{.Id}}", tag); err == nil && strings.TrimSpace(string(out)) == archive.ID {
		return tag, nil
	}
	f, err := os.Open(c.NodeArchive)
	if err != nil {
		return "", err
	}
	defer f.Close()
	c.say("cluster: loading the node image %s", tag)
	if _, err := c.docker(ctx, f, "load", "--quiet"); err != nil {
		return "", err
	}
	return tag, nil
}

// fetchNodeImage gives the runtime the image that the nodes are made from, also where Kind
// would let the runtime pull it.
func (c *Cluster) fetchNodeImage(ctx context.Context) error {
	image, err := c.ensureNodeImage(ctx)
	if err != nil || c.hasImage(ctx, image) {
		return err
	}
	if _, err := c.docker(ctx, nil, "pull", "--quiet", image); err != nil {
		return fmt.Errorf("%w\n%s", err, pullAdvice)
	}
	return nil
}

// nodeReference returns the reference that the nodes are to be made from: NodeImage, or
// without it the image in the archive.
func (c *Cluster) nodeReference() string {
	if c.NodeImage != "" || c.NodeArchive == "" {
		return c.NodeImage
	}
	archive, err := ReadArchive(c.NodeArchive)
	if err != nil || len(archive.Tags) == 0 {
		return ""
	}
	return archive.Tags[0]
}

func (c *Cluster) hasImage(ctx context.Context, ref string) bool {
	_, err := c.docker(ctx, nil, "image", "inspect", "--format", "{{.Id}}", ref)
	return err == nil
}

func withoutDigest(ref string) string {
	tagged, _, _ := strings.Cut(ref, "@")
	return tagged
}
