package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sigstore/cosign/v3/pkg/oci"
	"github.com/sigstore/cosign/v3/pkg/oci/walk"
)

// publish pushes every image to o.publish/NAME, with its SBOMs where cosign looks
// for them, and notes the references in list.
func publish(ctx context.Context, o options, built []result, list *digests) error {
	pusher, err := remote.NewPusher(remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("lgtm-lab"))
	if err != nil {
		return err
	}
	for i, r := range built {
		entry := &list.Images[i]
		_, short, _ := strings.Cut(entry.Tag, ":")
		tag, err := name.NewTag(strings.TrimSuffix(o.publish, "/")+"/"+r.name+":"+short, registryOptions(o)...)
		if err != nil {
			return err
		}
		if err := pusher.Push(ctx, tag, r.Result); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		if err := pushSBOMs(ctx, pusher, tag.Context(), r); err != nil {
			return fmt.Errorf("%s: SBOM: %w", r.name, err)
		}
		entry.Reference = tag.Context().Name() + ":" + short + "@" + entry.Digest
		log.Printf("pushed %s", entry.Reference)
	}
	return nil
}

func registryOptions(o options) []name.Option {
	if o.insecure {
		return []name.Option{name.Insecure}
	}
	return nil
}

// pushSBOMs pushes the SBOMs that ko attached to the index and to each image, under
// the tag that cosign derives from the digest.
func pushSBOMs(ctx context.Context, pusher *remote.Pusher, repo name.Repository, r result) error {
	entity, ok := r.Result.(oci.SignedEntity)
	if !ok {
		return nil
	}
	return walk.SignedEntity(ctx, entity, func(ctx context.Context, se oci.SignedEntity) error {
		sbom, err := se.Attachment("sbom")
		if err != nil {
			return err
		}
		digest, err := se.Digest()
		if err != nil {
			return err
		}
		return pusher.Push(ctx, repo.Tag(digest.Algorithm+"-"+digest.Hex+".sbom"), sbom)
	})
}
