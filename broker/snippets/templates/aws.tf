# One provider for each broker; each service adds its audience to the list.
resource "aws_iam_openid_connect_provider" "broker" {
  url            = «issuer»
  client_id_list = [«audience»]
}

resource "aws_iam_role" "«label»" {
  name = «role»

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.broker.arn }
      Action    = [«actions»]
      Condition = {
        StringEquals = {
          «aud_key» = «aud_value»
          «sub_key» = [«subs»]
        }
«tags»      }
    }]
  })
}
