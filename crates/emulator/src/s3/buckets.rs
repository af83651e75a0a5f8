//! Operations on buckets.

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::Service;
use crate::store::{BUCKETS, Versioning, buckets, internal, time_of};

impl Service {
    pub(super) async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<CreateBucketOutput> {
        let name = request.input.bucket;
        let location = Some(format!("/{name}"));
        if self.storage.write(move |txn| buckets::create(txn, &name, Versioning::Never)).await? {
            Ok(CreateBucketOutput { location })
        } else {
            Err(s3_error!(
                BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own \
                 it."
            ))
        }
    }

    pub(super) async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<DeleteBucketOutput> {
        let name = request.input.bucket;
        self.storage.write(move |txn| buckets::delete(txn, &name)).await?;
        Ok(DeleteBucketOutput::default())
    }

    pub(super) async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<HeadBucketOutput> {
        self.bucket(request.input.bucket).await?;
        Ok(HeadBucketOutput { bucket_region: self.region.clone(), ..Default::default() })
    }

    pub(super) async fn list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<ListBucketsOutput> {
        let prefix = request.input.prefix;
        let all = self
            .storage
            .read(|txn| buckets::list(&txn.open_table(BUCKETS).map_err(internal)?))
            .await?;
        let found = all
            .into_iter()
            .filter(|(name, _)| prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix)))
            .map(|(name, bucket)| Bucket {
                bucket_region: self.region.clone(),
                creation_date: Some(Timestamp::from(time_of(bucket.created_ms))),
                name: Some(name),
            })
            .collect();
        let owner =
            Owner { display_name: Some("emulator".to_owned()), id: Some("emulator".to_owned()) };
        Ok(ListBucketsOutput {
            buckets: Some(found),
            owner: Some(owner),
            prefix,
            ..Default::default()
        })
    }

    pub(super) async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<GetBucketLocationOutput> {
        self.bucket(request.input.bucket).await?;
        // The oldest region has an empty constraint:
        // <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html>.
        let constraint = self.region.clone().filter(|region| region != "us-east-1");
        Ok(GetBucketLocationOutput {
            location_constraint: constraint.map(BucketLocationConstraint::from),
        })
    }

    pub(super) async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<GetBucketVersioningOutput> {
        let status = match self.bucket(request.input.bucket).await?.versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
        };
        Ok(GetBucketVersioningOutput {
            status: status.map(BucketVersioningStatus::from_static),
            ..Default::default()
        })
    }

    pub(super) async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<PutBucketVersioningOutput> {
        let name = request.input.bucket;
        let status = request.input.versioning_configuration.status;
        let versioning = match status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            _ => return Err(s3_error!(MalformedXML, "Status has to be Enabled or Suspended")),
        };
        self.storage.write(move |txn| buckets::set_versioning(txn, &name, versioning)).await?;
        Ok(PutBucketVersioningOutput::default())
    }

    async fn bucket(&self, name: String) -> S3Result<crate::store::Bucket> {
        let bucket = self
            .storage
            .read(move |txn| buckets::get(&txn.open_table(BUCKETS).map_err(internal)?, &name))
            .await?;
        Ok(bucket)
    }
}
