# In a job, `broker credential-helper gcp` hands the token to Google's libraries.
variable "project" {
  type = string
}

variable "service_account" {
  description = "What the jobs act as: projects/PROJECT/serviceAccounts/NAME@PROJECT.iam.gserviceaccount.com"
  type        = string
}

# A pool for this service alone: a principal of a pool is the same by whichever provider of the pool
# it comes, and what a token for another service says must not count here.
resource "google_iam_workload_identity_pool" "«label»" {
  project                   = var.project
  workload_identity_pool_id = «pool»
}

resource "google_iam_workload_identity_pool_provider" "«label»" {
  project                            = var.project
  workload_identity_pool_id          = google_iam_workload_identity_pool.«label».workload_identity_pool_id
  workload_identity_pool_provider_id = «provider»

  attribute_mapping = {
    "google.subject"      = "assertion.sub"
    "attribute.client_id" = "assertion.client_id"
  }
  attribute_condition = «condition»

  oidc {
    issuer_uri        = «issuer»
    allowed_audiences = [«audience»]
  }
}

resource "google_service_account_iam_member" "«label»" {
  for_each           = toset([«subs»])
  service_account_id = var.service_account
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/${google_iam_workload_identity_pool.«label».name}/subject/${each.value}"
}
