-- Written by `python -m features.compiler`; edit features/definitions/.
WITH numbered_spine AS (
  SELECT
    "t0"."tenant_id",
    "t0"."as_of_hour",
    ROW_NUMBER() OVER (
      ORDER BY "t0"."tenant_id" ASC, "t0"."as_of_hour" ASC
      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ) - 1 AS "sid",
    CAST(FLOOR((
      "t0"."as_of_hour"
    ) / (
      24
    )) AS BIGINT) AS "as_of_day",
    CAST("t0"."as_of_hour" % 24 AS DOUBLE) / 24.0 AS "day_part"
  FROM "spine" AS "t0"
),
account_then AS (
  SELECT
    "t7"."sid",
    "t7"."plan",
    "t7"."created_hour",
    "t7"."parent_org",
    "t7"."organisation",
    "t7"."segment",
    "t7"."region",
    "t7"."seats",
    "t7"."mrr",
    "t7"."renewal_hour",
    "t7"."base_limit",
    "t7"."contract_limit",
    "t7"."window_seconds",
    "t7"."primary_meter"
  FROM (
    SELECT
      "t6"."sid",
      "t6"."tenant_id",
      "t6"."as_of_hour",
      "t6"."effective_hour",
      "t6"."known_hour",
      "t6"."version",
      "t6"."plan",
      "t6"."created_hour",
      "t6"."parent_org",
      "t6"."organisation",
      "t6"."segment",
      "t6"."region",
      "t6"."seats",
      "t6"."mrr",
      "t6"."renewal_hour",
      "t6"."base_limit",
      "t6"."contract_limit",
      "t6"."window_seconds",
      "t6"."primary_meter",
      ROW_NUMBER() OVER (
        PARTITION BY "t6"."sid"
        ORDER BY "t6"."effective_hour" DESC, "t6"."version" DESC, "t6"."known_hour" DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ) - 1 AS "newest"
    FROM (
      SELECT
        *
      FROM (
        SELECT
          "t4"."sid",
          "t4"."tenant_id",
          "t4"."as_of_hour",
          "t2"."effective_hour",
          "t2"."known_hour",
          "t2"."version",
          "t2"."plan",
          "t2"."created_hour",
          "t2"."parent_org",
          "t2"."organisation",
          "t2"."segment",
          "t2"."region",
          "t2"."seats",
          "t2"."mrr",
          "t2"."renewal_hour",
          "t2"."base_limit",
          "t2"."contract_limit",
          "t2"."window_seconds",
          "t2"."primary_meter"
        FROM (
          SELECT
            "t0"."sid",
            "t0"."tenant_id",
            "t0"."as_of_hour"
          FROM "numbered_spine" AS "t0"
        ) AS "t4"
        INNER JOIN "account" AS "t2"
          ON "t4"."tenant_id" = "t2"."tenant_id"
      ) AS "t5"
      WHERE
        "t5"."effective_hour" < "t5"."as_of_hour"
        AND "t5"."known_hour" < "t5"."as_of_hour"
    ) AS "t6"
  ) AS "t7"
  WHERE
    "t7"."newest" = 0
),
plan_then AS (
  SELECT
    "t10"."sid",
    "t10"."rank",
    "t10"."price"
  FROM (
    SELECT
      "t9"."sid",
      "t9"."plan",
      "t9"."as_of_hour",
      "t9"."effective_hour",
      "t9"."known_hour",
      "t9"."version",
      "t9"."rank",
      "t9"."price",
      ROW_NUMBER() OVER (
        PARTITION BY "t9"."sid"
        ORDER BY "t9"."effective_hour" DESC, "t9"."version" DESC, "t9"."known_hour" DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
      ) - 1 AS "newest"
    FROM (
      SELECT
        *
      FROM (
        SELECT
          "t6"."sid",
          "t6"."plan",
          "t7"."as_of_hour",
          "t3"."effective_hour",
          "t3"."known_hour",
          "t3"."version",
          "t3"."rank",
          "t3"."price"
        FROM (
          SELECT
            "t0"."sid",
            "t0"."plan"
          FROM "account_then" AS "t0"
        ) AS "t6"
        INNER JOIN (
          SELECT
            "t2"."sid",
            "t2"."as_of_hour"
          FROM "numbered_spine" AS "t2"
        ) AS "t7"
          ON "t6"."sid" = "t7"."sid"
        INNER JOIN "plan" AS "t3"
          ON "t6"."plan" = "t3"."plan"
      ) AS "t8"
      WHERE
        "t8"."effective_hour" < "t8"."as_of_hour"
        AND "t8"."known_hour" < "t8"."as_of_hour"
    ) AS "t9"
  ) AS "t10"
  WHERE
    "t10"."newest" = 0
),
subject AS (
  SELECT
    "t3"."tenant_id",
    "t3"."as_of_hour",
    "t3"."sid",
    "t3"."as_of_day",
    "t3"."day_part",
    "t4"."plan",
    "t4"."created_hour",
    "t4"."parent_org",
    "t4"."segment",
    "t4"."region",
    "t4"."renewal_hour",
    "t4"."base_limit",
    "t4"."contract_limit",
    "t4"."window_seconds",
    COALESCE("t4"."organisation", "t3"."tenant_id") AS "organisation",
    COALESCE("t4"."primary_meter", '') AS "primary_meter",
    COALESCE("t4"."mrr", "t5"."price") AS "mrr",
    CAST("t4"."seats" AS DOUBLE) AS "seats",
    CAST("t5"."rank" AS DOUBLE) AS "rank",
    "t5"."price"
  FROM "numbered_spine" AS "t3"
  LEFT OUTER JOIN "account_then" AS "t4"
    ON "t3"."sid" = "t4"."sid"
  LEFT OUTER JOIN "plan_then" AS "t5"
    ON "t3"."sid" = "t5"."sid"
),
day_bucket AS (
  SELECT
    *
  FROM (
    SELECT
      "t0"."sid",
      "t0"."tenant_id",
      "t0"."primary_meter",
      "t0"."as_of_day",
      CAST(FLOOR((
        "t0"."as_of_day"
      ) / (
        32
      )) AS BIGINT) AS "bucket"
    FROM "subject" AS "t0"
  ) AS "t1"
  UNION ALL
  SELECT
    *
  FROM (
    SELECT
      "t0"."sid",
      "t0"."tenant_id",
      "t0"."primary_meter",
      "t0"."as_of_day",
      CAST(FLOOR((
        "t0"."as_of_day"
      ) / (
        32
      )) AS BIGINT) - 1 AS "bucket"
    FROM "subject" AS "t0"
  ) AS "t2"
),
inside_day AS (
  SELECT
    "t0"."sid",
    "t0"."tenant_id",
    "t0"."primary_meter",
    "t0"."as_of_hour",
    "t0"."as_of_day" AS "arrival_day"
  FROM "subject" AS "t0"
  WHERE
    "t0"."day_part" > 0.0
),
daily AS (
  SELECT
    "t14"."sid",
    "t14"."event_day",
    SUM(
      CASE
        WHEN "t14"."meter" = "t14"."primary_meter"
        THEN "t14"."quantity_sum"
        ELSE 0.0
      END
    ) AS "demand",
    MAX(
      CASE WHEN "t14"."meter" = "t14"."primary_meter" THEN "t14"."hour_peak" ELSE NULL END
    ) AS "hour_peak",
    MAX(
      CASE
        WHEN "t14"."meter" = "t14"."primary_meter"
        THEN "t14"."share_peak"
        ELSE NULL
      END
    ) AS "share_peak",
    SUM(CASE WHEN "t14"."meter" = 'logins' THEN "t14"."quantity_sum" ELSE 0.0 END) AS "logins",
    SUM(CASE WHEN "t14"."meter" = 'api.blocked' THEN "t14"."quantity_sum" ELSE 0.0 END) AS "blocked",
    MAX("t14"."last_at_us") AS "last_at_us"
  FROM (
    SELECT
      *
    FROM (
      SELECT
        "t10"."sid",
        "t10"."meter",
        "t10"."primary_meter",
        "t10"."event_day",
        "t10"."quantity_sum",
        "t10"."hour_peak",
        "t10"."share_peak",
        "t10"."last_at_us",
        "t10"."as_of_day" - "t10"."event_day" AS "age"
      FROM (
        SELECT
          "t8"."tenant_id",
          "t8"."meter",
          "t8"."event_day",
          "t8"."arrival_day",
          "t8"."event_count",
          "t8"."quantity_sum",
          "t8"."quantity_max",
          "t8"."hour_peak",
          "t8"."last_at_us",
          "t8"."last_value",
          "t8"."active_hours",
          "t8"."window_count",
          "t8"."share_sum",
          "t8"."share_peak",
          "t8"."share_count_0",
          "t8"."share_count_1",
          "t8"."share_count_2",
          "t8"."share_count_3",
          "t8"."share_count_4",
          "t8"."share_count_5",
          "t8"."share_count_6",
          "t8"."share_count_7",
          "t8"."share_sum_0",
          "t8"."share_sum_1",
          "t8"."share_sum_2",
          "t8"."share_sum_3",
          "t8"."share_sum_4",
          "t8"."share_sum_5",
          "t8"."share_sum_6",
          "t8"."share_sum_7",
          "t8"."coarse_count",
          "t8"."bucket",
          "t4"."sid",
          "t4"."primary_meter",
          "t4"."as_of_day"
        FROM (
          SELECT
            "t0"."tenant_id",
            "t0"."meter",
            "t0"."event_day",
            "t0"."arrival_day",
            "t0"."event_count",
            "t0"."quantity_sum",
            "t0"."quantity_max",
            "t0"."hour_peak",
            "t0"."last_at_us",
            "t0"."last_value",
            "t0"."active_hours",
            "t0"."window_count",
            "t0"."share_sum",
            "t0"."share_peak",
            "t0"."share_count_0",
            "t0"."share_count_1",
            "t0"."share_count_2",
            "t0"."share_count_3",
            "t0"."share_count_4",
            "t0"."share_count_5",
            "t0"."share_count_6",
            "t0"."share_count_7",
            "t0"."share_sum_0",
            "t0"."share_sum_1",
            "t0"."share_sum_2",
            "t0"."share_sum_3",
            "t0"."share_sum_4",
            "t0"."share_sum_5",
            "t0"."share_sum_6",
            "t0"."share_sum_7",
            "t0"."coarse_count",
            CAST(FLOOR((
              "t0"."event_day"
            ) / (
              32
            )) AS BIGINT) AS "bucket"
          FROM "usage_day" AS "t0"
          WHERE
            "t0"."event_day" >= (
              $first_day - 30
            )
            AND "t0"."event_day" <= $last_day
            AND "t0"."arrival_day" < $last_day
        ) AS "t8"
        INNER JOIN "day_bucket" AS "t4"
          ON "t8"."tenant_id" = "t4"."tenant_id" AND "t8"."bucket" = "t4"."bucket"
      ) AS "t10"
      WHERE
        "t10"."event_day" >= (
          "t10"."as_of_day" - 30
        )
        AND "t10"."event_day" <= "t10"."as_of_day"
        AND "t10"."arrival_day" < "t10"."as_of_day"
        AND (
          (
            "t10"."meter" = "t10"."primary_meter"
          )
          OR "t10"."meter" IN ('logins', 'api.blocked')
        )
    ) AS "t12"
    UNION ALL
    SELECT
      *
    FROM (
      SELECT
        "t11"."sid",
        "t11"."meter",
        "t11"."primary_meter",
        "t11"."event_day",
        "t11"."quantity_sum",
        "t11"."hour_peak",
        "t11"."share_peak",
        "t11"."last_at_us",
        "t11"."arrival_day" - "t11"."event_day" AS "age"
      FROM (
        SELECT
          "t9"."tenant_id",
          "t9"."meter",
          "t9"."event_hour",
          "t9"."arrival_hour",
          "t9"."event_count",
          "t9"."quantity_sum",
          "t9"."quantity_max",
          "t9"."hour_peak",
          "t9"."last_at_us",
          "t9"."last_value",
          "t9"."active_hours",
          "t9"."window_count",
          "t9"."share_sum",
          "t9"."share_peak",
          "t9"."share_count_0",
          "t9"."share_count_1",
          "t9"."share_count_2",
          "t9"."share_count_3",
          "t9"."share_count_4",
          "t9"."share_count_5",
          "t9"."share_count_6",
          "t9"."share_count_7",
          "t9"."share_sum_0",
          "t9"."share_sum_1",
          "t9"."share_sum_2",
          "t9"."share_sum_3",
          "t9"."share_sum_4",
          "t9"."share_sum_5",
          "t9"."share_sum_6",
          "t9"."share_sum_7",
          "t9"."coarse_count",
          "t9"."arrival_day",
          "t9"."event_day",
          "t5"."sid",
          "t5"."primary_meter",
          "t5"."as_of_hour"
        FROM (
          SELECT
            "t2"."tenant_id",
            "t2"."meter",
            "t2"."event_hour",
            "t2"."arrival_hour",
            "t2"."event_count",
            "t2"."quantity_sum",
            "t2"."quantity_max",
            "t2"."hour_peak",
            "t2"."last_at_us",
            "t2"."last_value",
            "t2"."active_hours",
            "t2"."window_count",
            "t2"."share_sum",
            "t2"."share_peak",
            "t2"."share_count_0",
            "t2"."share_count_1",
            "t2"."share_count_2",
            "t2"."share_count_3",
            "t2"."share_count_4",
            "t2"."share_count_5",
            "t2"."share_count_6",
            "t2"."share_count_7",
            "t2"."share_sum_0",
            "t2"."share_sum_1",
            "t2"."share_sum_2",
            "t2"."share_sum_3",
            "t2"."share_sum_4",
            "t2"."share_sum_5",
            "t2"."share_sum_6",
            "t2"."share_sum_7",
            "t2"."coarse_count",
            CAST(FLOOR((
              "t2"."arrival_hour"
            ) / (
              24
            )) AS BIGINT) AS "arrival_day",
            CAST(FLOOR((
              "t2"."event_hour"
            ) / (
              24
            )) AS BIGINT) AS "event_day"
          FROM "usage_hour" AS "t2"
          WHERE
            "t2"."arrival_hour" >= (
              $first_day * 24
            )
            AND "t2"."arrival_hour" < (
              (
                $last_day * 24
              ) + 24
            )
        ) AS "t9"
        INNER JOIN "inside_day" AS "t5"
          ON "t9"."tenant_id" = "t5"."tenant_id" AND "t9"."arrival_day" = "t5"."arrival_day"
      ) AS "t11"
      WHERE
        "t11"."arrival_hour" < "t11"."as_of_hour"
        AND "t11"."event_hour" < "t11"."as_of_hour"
        AND "t11"."event_day" >= (
          "t11"."arrival_day" - 30
        )
        AND (
          (
            "t11"."meter" = "t11"."primary_meter"
          )
          OR "t11"."meter" IN ('logins', 'api.blocked')
        )
    ) AS "t13"
  ) AS "t14"
  GROUP BY
    1,
    2
),
aged_day AS (
  SELECT
    "t2"."sid",
    "t2"."event_day",
    "t2"."demand",
    "t2"."hour_peak",
    "t2"."share_peak",
    "t2"."logins",
    "t2"."blocked",
    "t2"."last_at_us",
    "t4"."base_limit",
    "t4"."window_seconds",
    "t4"."as_of_day" - "t2"."event_day" AS "age"
  FROM "daily" AS "t2"
  INNER JOIN (
    SELECT
      "t1"."sid",
      "t1"."as_of_day",
      "t1"."base_limit",
      "t1"."window_seconds"
    FROM "subject" AS "t1"
  ) AS "t4"
    ON "t2"."sid" = "t4"."sid"
),
top_day AS (
  SELECT
    "t1"."sid",
    MAX("t1"."demand") AS "demand_top"
  FROM (
    SELECT
      *
    FROM "aged_day" AS "t0"
    WHERE
      "t0"."age" <= 28
  ) AS "t1"
  GROUP BY
    1
),
days AS (
  SELECT
    "t2"."sid",
    "t2"."event_day",
    "t2"."demand",
    "t2"."hour_peak",
    "t2"."share_peak",
    "t2"."logins",
    "t2"."blocked",
    "t2"."last_at_us",
    "t2"."base_limit",
    "t2"."window_seconds",
    "t2"."age",
    "t3"."demand_top"
  FROM "aged_day" AS "t2"
  LEFT OUTER JOIN "top_day" AS "t3"
    ON "t2"."sid" = "t3"."sid"
),
of_days AS (
  SELECT
    "t0"."sid",
    SUM(CASE WHEN "t0"."age" <= 7 THEN "t0"."demand" ELSE 0.0 END) AS "demand_7d",
    SUM(CASE WHEN "t0"."age" <= 28 THEN "t0"."demand" ELSE 0.0 END) AS "demand_28d",
    SUM(CASE WHEN "t0"."age" <= 30 THEN "t0"."demand" ELSE 0.0 END) AS "demand_30d",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 8
        ) AND (
          "t0"."age" <= 14
        )
        THEN "t0"."demand"
        ELSE 0.0
      END
    ) AS "demand_prior_week",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 15
        ) AND (
          "t0"."age" <= 21
        )
        THEN "t0"."demand"
        ELSE 0.0
      END
    ) AS "demand_third_week",
    MAX(CASE WHEN "t0"."age" <= 28 THEN "t0"."demand" ELSE NULL END) AS "demand_top_day_28d",
    CAST(COUNT(
      CASE
        WHEN (
          "t0"."age" <= 28
        )
        AND (
          (
            "t0"."demand" > 0
          ) OR (
            "t0"."logins" > 0
          )
        )
        THEN 1
        ELSE NULL
      END
    ) AS DOUBLE) AS "active_days_28",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          "t0"."window_seconds" = 86400
        )
        AND (
          "t0"."demand" > CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 70
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
        )
        THEN "t0"."demand" - CAST(CAST(FLOOR((
          (
            "t0"."base_limit" * 70
          ) + 99
        ) / (
          100
        )) AS BIGINT) AS DOUBLE)
        ELSE 0.0
      END
    ) AS "day_excess_70_28d",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          "t0"."window_seconds" = 86400
        )
        AND (
          "t0"."demand" > CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 85
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
        )
        THEN "t0"."demand" - CAST(CAST(FLOOR((
          (
            "t0"."base_limit" * 85
          ) + 99
        ) / (
          100
        )) AS BIGINT) AS DOUBLE)
        ELSE 0.0
      END
    ) AS "day_excess_85_28d",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          "t0"."window_seconds" = 86400
        )
        AND (
          "t0"."demand" > CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 100
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
        )
        THEN "t0"."demand" - CAST(CAST(FLOOR((
          (
            "t0"."base_limit" * 100
          ) + 99
        ) / (
          100
        )) AS BIGINT) AS DOUBLE)
        ELSE 0.0
      END
    ) AS "day_excess_100_28d",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          "t0"."window_seconds" = 86400
        )
        AND (
          "t0"."demand" > CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 115
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
        )
        THEN "t0"."demand" - CAST(CAST(FLOOR((
          (
            "t0"."base_limit" * 115
          ) + 99
        ) / (
          100
        )) AS BIGINT) AS DOUBLE)
        ELSE 0.0
      END
    ) AS "day_excess_115_28d",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          "t0"."window_seconds" = 86400
        )
        AND (
          "t0"."demand" > CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 130
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
        )
        THEN "t0"."demand" - CAST(CAST(FLOOR((
          (
            "t0"."base_limit" * 130
          ) + 99
        ) / (
          100
        )) AS BIGINT) AS DOUBLE)
        ELSE 0.0
      END
    ) AS "day_excess_130_28d",
    MAX(
      CASE
        WHEN (
          "t0"."age" <= 7
        ) AND (
          "t0"."share_peak" > 0
        )
        THEN "t0"."share_peak"
        ELSE NULL
      END
    ) AS "share_top_7d",
    MAX(
      CASE
        WHEN (
          "t0"."age" <= 28
        ) AND (
          "t0"."share_peak" > 0
        )
        THEN "t0"."share_peak"
        ELSE NULL
      END
    ) AS "share_top_28d",
    MAX(CASE WHEN "t0"."age" <= 7 THEN "t0"."demand" ELSE NULL END) AS "demand_top_day_7d",
    CAST(COUNT(
      CASE
        WHEN (
          "t0"."age" <= 28
        ) AND (
          "t0"."demand" = "t0"."demand_top"
        )
        THEN 1
        ELSE NULL
      END
    ) AS DOUBLE) AS "days_at_top",
    MAX(
      CASE
        WHEN (
          "t0"."age" <= 28
        ) AND (
          "t0"."demand" < "t0"."demand_top"
        )
        THEN "t0"."demand"
        ELSE NULL
      END
    ) AS "demand_below_top",
    MAX(CASE WHEN "t0"."age" <= 28 THEN "t0"."hour_peak" ELSE NULL END) AS "hour_peak_28d",
    MAX(CASE WHEN "t0"."age" <= 1 THEN "t0"."hour_peak" ELSE NULL END) AS "hour_peak_1d",
    MAX(CASE WHEN "t0"."age" <= 1 THEN "t0"."demand" ELSE NULL END) AS "demand_top_day_1d",
    CAST(COUNT(
      CASE
        WHEN (
          "t0"."age" >= 2
        ) AND (
          "t0"."age" <= 28
        ) AND (
          "t0"."demand" > 0
        )
        THEN 1
        ELSE NULL
      END
    ) AS DOUBLE) AS "usual_days",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 2
        ) AND (
          "t0"."age" <= 28
        ) AND (
          "t0"."demand" > 0
        )
        THEN CAST(CAST(FLOOR((
          LN("t0"."hour_peak" + 1.0) * 1073741824.0
        ) + 0.5) AS BIGINT) AS DOUBLE)
        ELSE 0.0
      END
    ) / 1073741824.0 AS "usual_hour_peaks",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 2
        ) AND (
          "t0"."age" <= 28
        ) AND (
          "t0"."demand" > 0
        )
        THEN CAST(CAST(FLOOR((
          LN("t0"."demand" + 1.0) * 1073741824.0
        ) + 0.5) AS BIGINT) AS DOUBLE)
        ELSE 0.0
      END
    ) / 1073741824.0 AS "usual_demand",
    SUM(CASE WHEN "t0"."age" <= 1 THEN "t0"."demand" ELSE 0.0 END) AS "demand_1d",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        ) AND (
          "t0"."age" <= 28
        )
        THEN "t0"."demand" * (
          29 - (
            "t0"."age" * 2
          )
        )
        ELSE 0.0
      END
    ) AS "demand_moment",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        ) AND (
          "t0"."age" <= 28
        )
        THEN "t0"."demand"
        ELSE 0.0
      END
    ) AS "demand_complete",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          (
            "t0"."event_day" % 7
          ) = 0
        )
        THEN "t0"."demand"
        ELSE 0.0
      END
    ) AS "weekday_0",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          (
            "t0"."event_day" % 7
          ) = 1
        )
        THEN "t0"."demand"
        ELSE 0.0
      END
    ) AS "weekday_1",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          (
            "t0"."event_day" % 7
          ) = 2
        )
        THEN "t0"."demand"
        ELSE 0.0
      END
    ) AS "weekday_2",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          (
            "t0"."event_day" % 7
          ) = 3
        )
        THEN "t0"."demand"
        ELSE 0.0
      END
    ) AS "weekday_3",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          (
            "t0"."event_day" % 7
          ) = 4
        )
        THEN "t0"."demand"
        ELSE 0.0
      END
    ) AS "weekday_4",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          (
            "t0"."event_day" % 7
          ) = 5
        )
        THEN "t0"."demand"
        ELSE 0.0
      END
    ) AS "weekday_5",
    SUM(
      CASE
        WHEN (
          "t0"."age" >= 1
        )
        AND (
          "t0"."age" <= 28
        )
        AND (
          (
            "t0"."event_day" % 7
          ) = 6
        )
        THEN "t0"."demand"
        ELSE 0.0
      END
    ) AS "weekday_6",
    SUM(CASE WHEN "t0"."age" <= 7 THEN "t0"."blocked" ELSE 0.0 END) AS "blocked_7d",
    SUM(CASE WHEN "t0"."age" <= 28 THEN "t0"."blocked" ELSE 0.0 END) AS "blocked_28d",
    CAST(COUNT(
      CASE WHEN (
        "t0"."age" <= 28
      ) AND (
        "t0"."blocked" > 0
      ) THEN 1 ELSE NULL END
    ) AS DOUBLE) AS "blocked_days",
    CAST(COUNT(
      CASE
        WHEN (
          "t0"."age" <= 28
        )
        AND (
          COALESCE("t0"."share_peak" >= 1.0, FALSE)
          OR COALESCE(
            (
              "t0"."window_seconds" > 3600
            )
            AND (
              (
                "t0"."demand" * CAST("t0"."window_seconds" AS DOUBLE)
              ) >= (
                CAST("t0"."base_limit" AS DOUBLE) * 86400.0
              )
            ),
            FALSE
          )
        )
        THEN 1
        ELSE NULL
      END
    ) AS DOUBLE) AS "limit_days",
    CAST(COUNT(
      CASE
        WHEN (
          "t0"."age" <= 7
        )
        AND (
          (
            "t0"."demand" > 0
          ) OR (
            "t0"."logins" > 0
          )
        )
        THEN 1
        ELSE NULL
      END
    ) AS DOUBLE) AS "active_days_7",
    MAX(CASE WHEN "t0"."age" <= 30 THEN "t0"."last_at_us" ELSE NULL END) AS "last_event_us",
    SUM(CASE WHEN "t0"."age" <= 7 THEN "t0"."logins" ELSE 0.0 END) AS "logins_of_7d",
    SUM(CASE WHEN "t0"."age" <= 28 THEN "t0"."logins" ELSE 0.0 END) AS "logins_of_28d"
  FROM "days" AS "t0"
  GROUP BY
    1
),
shares AS (
  SELECT
    *
  FROM (
    SELECT
      "t10"."sid",
      "t10"."window_count",
      "t10"."coarse_count",
      "t10"."share_sum",
      "t10"."active_hours",
      "t10"."share_sum_1",
      "t10"."share_sum_2",
      "t10"."share_sum_3",
      "t10"."share_sum_4",
      "t10"."share_sum_5",
      "t10"."share_sum_6",
      "t10"."share_sum_7",
      "t10"."share_count_1",
      "t10"."share_count_2",
      "t10"."share_count_3",
      "t10"."share_count_4",
      "t10"."share_count_5",
      "t10"."share_count_6",
      "t10"."share_count_7",
      "t10"."as_of_day" - "t10"."event_day" AS "age"
    FROM (
      SELECT
        "t8"."tenant_id",
        "t8"."meter",
        "t8"."event_day",
        "t8"."arrival_day",
        "t8"."event_count",
        "t8"."quantity_sum",
        "t8"."quantity_max",
        "t8"."hour_peak",
        "t8"."last_at_us",
        "t8"."last_value",
        "t8"."active_hours",
        "t8"."window_count",
        "t8"."share_sum",
        "t8"."share_peak",
        "t8"."share_count_0",
        "t8"."share_count_1",
        "t8"."share_count_2",
        "t8"."share_count_3",
        "t8"."share_count_4",
        "t8"."share_count_5",
        "t8"."share_count_6",
        "t8"."share_count_7",
        "t8"."share_sum_0",
        "t8"."share_sum_1",
        "t8"."share_sum_2",
        "t8"."share_sum_3",
        "t8"."share_sum_4",
        "t8"."share_sum_5",
        "t8"."share_sum_6",
        "t8"."share_sum_7",
        "t8"."coarse_count",
        "t8"."bucket",
        "t4"."sid",
        "t4"."primary_meter",
        "t4"."as_of_day"
      FROM (
        SELECT
          "t0"."tenant_id",
          "t0"."meter",
          "t0"."event_day",
          "t0"."arrival_day",
          "t0"."event_count",
          "t0"."quantity_sum",
          "t0"."quantity_max",
          "t0"."hour_peak",
          "t0"."last_at_us",
          "t0"."last_value",
          "t0"."active_hours",
          "t0"."window_count",
          "t0"."share_sum",
          "t0"."share_peak",
          "t0"."share_count_0",
          "t0"."share_count_1",
          "t0"."share_count_2",
          "t0"."share_count_3",
          "t0"."share_count_4",
          "t0"."share_count_5",
          "t0"."share_count_6",
          "t0"."share_count_7",
          "t0"."share_sum_0",
          "t0"."share_sum_1",
          "t0"."share_sum_2",
          "t0"."share_sum_3",
          "t0"."share_sum_4",
          "t0"."share_sum_5",
          "t0"."share_sum_6",
          "t0"."share_sum_7",
          "t0"."coarse_count",
          CAST(FLOOR((
            "t0"."event_day"
          ) / (
            32
          )) AS BIGINT) AS "bucket"
        FROM "usage_day" AS "t0"
        WHERE
          "t0"."event_day" >= (
            $first_day - 30
          )
          AND "t0"."event_day" <= $last_day
          AND "t0"."arrival_day" < $last_day
      ) AS "t8"
      INNER JOIN "day_bucket" AS "t4"
        ON "t8"."tenant_id" = "t4"."tenant_id" AND "t8"."bucket" = "t4"."bucket"
    ) AS "t10"
    WHERE
      "t10"."event_day" >= (
        "t10"."as_of_day" - 30
      )
      AND "t10"."event_day" <= "t10"."as_of_day"
      AND "t10"."arrival_day" < "t10"."as_of_day"
      AND "t10"."meter" = "t10"."primary_meter"
  ) AS "t12"
  UNION ALL
  SELECT
    *
  FROM (
    SELECT
      "t11"."sid",
      "t11"."window_count",
      "t11"."coarse_count",
      "t11"."share_sum",
      "t11"."active_hours",
      "t11"."share_sum_1",
      "t11"."share_sum_2",
      "t11"."share_sum_3",
      "t11"."share_sum_4",
      "t11"."share_sum_5",
      "t11"."share_sum_6",
      "t11"."share_sum_7",
      "t11"."share_count_1",
      "t11"."share_count_2",
      "t11"."share_count_3",
      "t11"."share_count_4",
      "t11"."share_count_5",
      "t11"."share_count_6",
      "t11"."share_count_7",
      "t11"."arrival_day" - "t11"."event_day" AS "age"
    FROM (
      SELECT
        "t9"."tenant_id",
        "t9"."meter",
        "t9"."event_hour",
        "t9"."arrival_hour",
        "t9"."event_count",
        "t9"."quantity_sum",
        "t9"."quantity_max",
        "t9"."hour_peak",
        "t9"."last_at_us",
        "t9"."last_value",
        "t9"."active_hours",
        "t9"."window_count",
        "t9"."share_sum",
        "t9"."share_peak",
        "t9"."share_count_0",
        "t9"."share_count_1",
        "t9"."share_count_2",
        "t9"."share_count_3",
        "t9"."share_count_4",
        "t9"."share_count_5",
        "t9"."share_count_6",
        "t9"."share_count_7",
        "t9"."share_sum_0",
        "t9"."share_sum_1",
        "t9"."share_sum_2",
        "t9"."share_sum_3",
        "t9"."share_sum_4",
        "t9"."share_sum_5",
        "t9"."share_sum_6",
        "t9"."share_sum_7",
        "t9"."coarse_count",
        "t9"."arrival_day",
        "t9"."event_day",
        "t5"."sid",
        "t5"."primary_meter",
        "t5"."as_of_hour"
      FROM (
        SELECT
          "t2"."tenant_id",
          "t2"."meter",
          "t2"."event_hour",
          "t2"."arrival_hour",
          "t2"."event_count",
          "t2"."quantity_sum",
          "t2"."quantity_max",
          "t2"."hour_peak",
          "t2"."last_at_us",
          "t2"."last_value",
          "t2"."active_hours",
          "t2"."window_count",
          "t2"."share_sum",
          "t2"."share_peak",
          "t2"."share_count_0",
          "t2"."share_count_1",
          "t2"."share_count_2",
          "t2"."share_count_3",
          "t2"."share_count_4",
          "t2"."share_count_5",
          "t2"."share_count_6",
          "t2"."share_count_7",
          "t2"."share_sum_0",
          "t2"."share_sum_1",
          "t2"."share_sum_2",
          "t2"."share_sum_3",
          "t2"."share_sum_4",
          "t2"."share_sum_5",
          "t2"."share_sum_6",
          "t2"."share_sum_7",
          "t2"."coarse_count",
          CAST(FLOOR((
            "t2"."arrival_hour"
          ) / (
            24
          )) AS BIGINT) AS "arrival_day",
          CAST(FLOOR((
            "t2"."event_hour"
          ) / (
            24
          )) AS BIGINT) AS "event_day"
        FROM "usage_hour" AS "t2"
        WHERE
          "t2"."arrival_hour" >= (
            $first_day * 24
          )
          AND "t2"."arrival_hour" < (
            (
              $last_day * 24
            ) + 24
          )
      ) AS "t9"
      INNER JOIN "inside_day" AS "t5"
        ON "t9"."tenant_id" = "t5"."tenant_id" AND "t9"."arrival_day" = "t5"."arrival_day"
    ) AS "t11"
    WHERE
      "t11"."arrival_hour" < "t11"."as_of_hour"
      AND "t11"."event_hour" < "t11"."as_of_hour"
      AND "t11"."event_day" >= (
        "t11"."arrival_day" - 30
      )
      AND "t11"."meter" = "t11"."primary_meter"
  ) AS "t13"
),
of_shares AS (
  SELECT
    "t0"."sid",
    SUM(CASE WHEN "t0"."age" <= 7 THEN CAST("t0"."window_count" AS DOUBLE) ELSE 0.0 END) AS "windows_7d",
    SUM(CASE WHEN "t0"."age" <= 28 THEN CAST("t0"."window_count" AS DOUBLE) ELSE 0.0 END) AS "windows_28d",
    SUM(CASE WHEN "t0"."age" <= 7 THEN "t0"."share_sum" ELSE 0.0 END) AS "share_sum_7d",
    SUM(CASE WHEN "t0"."age" <= 28 THEN "t0"."share_sum" ELSE 0.0 END) AS "share_sum_28d",
    SUM(CASE WHEN "t0"."age" <= 28 THEN "t0"."share_sum_1" ELSE 0.0 END) AS "bin_sum_1_28d",
    SUM(
      CASE WHEN "t0"."age" <= 28 THEN CAST("t0"."share_count_1" AS DOUBLE) ELSE 0.0 END
    ) AS "bin_count_1_28d",
    SUM(CASE WHEN "t0"."age" <= 28 THEN "t0"."share_sum_2" ELSE 0.0 END) AS "bin_sum_2_28d",
    SUM(
      CASE WHEN "t0"."age" <= 28 THEN CAST("t0"."share_count_2" AS DOUBLE) ELSE 0.0 END
    ) AS "bin_count_2_28d",
    SUM(CASE WHEN "t0"."age" <= 28 THEN "t0"."share_sum_3" ELSE 0.0 END) AS "bin_sum_3_28d",
    SUM(
      CASE WHEN "t0"."age" <= 28 THEN CAST("t0"."share_count_3" AS DOUBLE) ELSE 0.0 END
    ) AS "bin_count_3_28d",
    SUM(CASE WHEN "t0"."age" <= 28 THEN "t0"."share_sum_4" ELSE 0.0 END) AS "bin_sum_4_28d",
    SUM(
      CASE WHEN "t0"."age" <= 28 THEN CAST("t0"."share_count_4" AS DOUBLE) ELSE 0.0 END
    ) AS "bin_count_4_28d",
    SUM(
      CASE
        WHEN "t0"."age" <= 28
        THEN "t0"."share_sum_5" + "t0"."share_sum_6" + "t0"."share_sum_7"
        ELSE 0.0
      END
    ) AS "bin_sum_5_28d",
    SUM(
      CASE
        WHEN "t0"."age" <= 28
        THEN CAST("t0"."share_count_5" + "t0"."share_count_6" + "t0"."share_count_7" AS DOUBLE)
        ELSE 0.0
      END
    ) AS "bin_count_5_28d",
    SUM(CASE WHEN "t0"."age" <= 28 THEN CAST("t0"."coarse_count" AS DOUBLE) ELSE 0.0 END) AS "coarse_windows_28d",
    SUM(CASE WHEN "t0"."age" <= 28 THEN CAST("t0"."active_hours" AS DOUBLE) ELSE 0.0 END) AS "busy_hours"
  FROM "shares" AS "t0"
  GROUP BY
    1
),
meters AS (
  SELECT
    "t14"."sid",
    "t14"."meter",
    "t14"."age",
    "t14"."quantity_sum",
    "t14"."quantity_max",
    (
      (
        (
          (
            30 - "t14"."age"
          ) * 256
        ) + CAST(FLOOR(
          (
            "t14"."last_at_us" - (
              "t14"."event_day" * 86400000000
            )
          ) / (
            337500000
          )
        ) AS BIGINT)
      ) * 1125899906842624
    ) + CAST(FLOOR("t14"."last_value") AS BIGINT) AS "gauge"
  FROM (
    SELECT
      *
    FROM (
      SELECT
        "t10"."sid",
        "t10"."meter",
        "t10"."quantity_sum",
        "t10"."quantity_max",
        "t10"."last_value",
        "t10"."last_at_us",
        "t10"."event_day",
        "t10"."as_of_day" - "t10"."event_day" AS "age"
      FROM (
        SELECT
          "t8"."tenant_id",
          "t8"."meter",
          "t8"."event_day",
          "t8"."arrival_day",
          "t8"."event_count",
          "t8"."quantity_sum",
          "t8"."quantity_max",
          "t8"."hour_peak",
          "t8"."last_at_us",
          "t8"."last_value",
          "t8"."active_hours",
          "t8"."window_count",
          "t8"."share_sum",
          "t8"."share_peak",
          "t8"."share_count_0",
          "t8"."share_count_1",
          "t8"."share_count_2",
          "t8"."share_count_3",
          "t8"."share_count_4",
          "t8"."share_count_5",
          "t8"."share_count_6",
          "t8"."share_count_7",
          "t8"."share_sum_0",
          "t8"."share_sum_1",
          "t8"."share_sum_2",
          "t8"."share_sum_3",
          "t8"."share_sum_4",
          "t8"."share_sum_5",
          "t8"."share_sum_6",
          "t8"."share_sum_7",
          "t8"."coarse_count",
          "t8"."bucket",
          "t4"."sid",
          "t4"."primary_meter",
          "t4"."as_of_day"
        FROM (
          SELECT
            "t0"."tenant_id",
            "t0"."meter",
            "t0"."event_day",
            "t0"."arrival_day",
            "t0"."event_count",
            "t0"."quantity_sum",
            "t0"."quantity_max",
            "t0"."hour_peak",
            "t0"."last_at_us",
            "t0"."last_value",
            "t0"."active_hours",
            "t0"."window_count",
            "t0"."share_sum",
            "t0"."share_peak",
            "t0"."share_count_0",
            "t0"."share_count_1",
            "t0"."share_count_2",
            "t0"."share_count_3",
            "t0"."share_count_4",
            "t0"."share_count_5",
            "t0"."share_count_6",
            "t0"."share_count_7",
            "t0"."share_sum_0",
            "t0"."share_sum_1",
            "t0"."share_sum_2",
            "t0"."share_sum_3",
            "t0"."share_sum_4",
            "t0"."share_sum_5",
            "t0"."share_sum_6",
            "t0"."share_sum_7",
            "t0"."coarse_count",
            CAST(FLOOR((
              "t0"."event_day"
            ) / (
              32
            )) AS BIGINT) AS "bucket"
          FROM "usage_day" AS "t0"
          WHERE
            "t0"."event_day" >= (
              $first_day - 30
            )
            AND "t0"."event_day" <= $last_day
            AND "t0"."arrival_day" < $last_day
        ) AS "t8"
        INNER JOIN "day_bucket" AS "t4"
          ON "t8"."tenant_id" = "t4"."tenant_id" AND "t8"."bucket" = "t4"."bucket"
      ) AS "t10"
      WHERE
        "t10"."event_day" >= (
          "t10"."as_of_day" - 30
        )
        AND "t10"."event_day" <= "t10"."as_of_day"
        AND "t10"."arrival_day" < "t10"."as_of_day"
        AND "t10"."meter" IN (
          'exports',
          'ai.tokens',
          'db.reads',
          'workflows.concurrent',
          'storage.bytes',
          'seats.active',
          'integrations.active'
        )
    ) AS "t12"
    UNION ALL
    SELECT
      *
    FROM (
      SELECT
        "t11"."sid",
        "t11"."meter",
        "t11"."quantity_sum",
        "t11"."quantity_max",
        "t11"."last_value",
        "t11"."last_at_us",
        "t11"."event_day",
        "t11"."arrival_day" - "t11"."event_day" AS "age"
      FROM (
        SELECT
          "t9"."tenant_id",
          "t9"."meter",
          "t9"."event_hour",
          "t9"."arrival_hour",
          "t9"."event_count",
          "t9"."quantity_sum",
          "t9"."quantity_max",
          "t9"."hour_peak",
          "t9"."last_at_us",
          "t9"."last_value",
          "t9"."active_hours",
          "t9"."window_count",
          "t9"."share_sum",
          "t9"."share_peak",
          "t9"."share_count_0",
          "t9"."share_count_1",
          "t9"."share_count_2",
          "t9"."share_count_3",
          "t9"."share_count_4",
          "t9"."share_count_5",
          "t9"."share_count_6",
          "t9"."share_count_7",
          "t9"."share_sum_0",
          "t9"."share_sum_1",
          "t9"."share_sum_2",
          "t9"."share_sum_3",
          "t9"."share_sum_4",
          "t9"."share_sum_5",
          "t9"."share_sum_6",
          "t9"."share_sum_7",
          "t9"."coarse_count",
          "t9"."arrival_day",
          "t9"."event_day",
          "t5"."sid",
          "t5"."primary_meter",
          "t5"."as_of_hour"
        FROM (
          SELECT
            "t2"."tenant_id",
            "t2"."meter",
            "t2"."event_hour",
            "t2"."arrival_hour",
            "t2"."event_count",
            "t2"."quantity_sum",
            "t2"."quantity_max",
            "t2"."hour_peak",
            "t2"."last_at_us",
            "t2"."last_value",
            "t2"."active_hours",
            "t2"."window_count",
            "t2"."share_sum",
            "t2"."share_peak",
            "t2"."share_count_0",
            "t2"."share_count_1",
            "t2"."share_count_2",
            "t2"."share_count_3",
            "t2"."share_count_4",
            "t2"."share_count_5",
            "t2"."share_count_6",
            "t2"."share_count_7",
            "t2"."share_sum_0",
            "t2"."share_sum_1",
            "t2"."share_sum_2",
            "t2"."share_sum_3",
            "t2"."share_sum_4",
            "t2"."share_sum_5",
            "t2"."share_sum_6",
            "t2"."share_sum_7",
            "t2"."coarse_count",
            CAST(FLOOR((
              "t2"."arrival_hour"
            ) / (
              24
            )) AS BIGINT) AS "arrival_day",
            CAST(FLOOR((
              "t2"."event_hour"
            ) / (
              24
            )) AS BIGINT) AS "event_day"
          FROM "usage_hour" AS "t2"
          WHERE
            "t2"."arrival_hour" >= (
              $first_day * 24
            )
            AND "t2"."arrival_hour" < (
              (
                $last_day * 24
              ) + 24
            )
        ) AS "t9"
        INNER JOIN "inside_day" AS "t5"
          ON "t9"."tenant_id" = "t5"."tenant_id" AND "t9"."arrival_day" = "t5"."arrival_day"
      ) AS "t11"
      WHERE
        "t11"."arrival_hour" < "t11"."as_of_hour"
        AND "t11"."event_hour" < "t11"."as_of_hour"
        AND "t11"."event_day" >= (
          "t11"."arrival_day" - 30
        )
        AND "t11"."meter" IN (
          'exports',
          'ai.tokens',
          'db.reads',
          'workflows.concurrent',
          'storage.bytes',
          'seats.active',
          'integrations.active'
        )
    ) AS "t13"
  ) AS "t14"
),
of_meters AS (
  SELECT
    "t0"."sid",
    MAX(
      CASE
        WHEN (
          "t0"."meter" = 'seats.active'
        ) AND (
          "t0"."age" <= 28
        )
        THEN "t0"."gauge"
        ELSE NULL
      END
    ) AS "seats_newest",
    MAX(
      CASE
        WHEN (
          "t0"."meter" = 'integrations.active'
        ) AND (
          "t0"."age" <= 28
        )
        THEN "t0"."gauge"
        ELSE NULL
      END
    ) AS "integrations_newest",
    SUM(
      CASE
        WHEN (
          "t0"."meter" = 'exports'
        ) AND (
          "t0"."age" <= 28
        )
        THEN "t0"."quantity_sum"
        ELSE 0.0
      END
    ) AS "exports_of_28d",
    SUM(
      CASE
        WHEN (
          "t0"."meter" = 'ai.tokens'
        ) AND (
          "t0"."age" <= 28
        )
        THEN "t0"."quantity_sum"
        ELSE 0.0
      END
    ) AS "ai_tokens_of_28d",
    SUM(
      CASE
        WHEN (
          "t0"."meter" = 'db.reads'
        ) AND (
          "t0"."age" <= 28
        )
        THEN "t0"."quantity_sum"
        ELSE 0.0
      END
    ) AS "db_reads_of_28d",
    MAX(
      CASE
        WHEN (
          "t0"."meter" = 'workflows.concurrent'
        ) AND (
          "t0"."age" <= 28
        )
        THEN "t0"."quantity_max"
        ELSE NULL
      END
    ) AS "workflows_of_28d",
    MAX(
      CASE
        WHEN (
          "t0"."meter" = 'storage.bytes'
        ) AND (
          "t0"."age" <= 28
        )
        THEN "t0"."gauge"
        ELSE NULL
      END
    ) AS "storage_newest",
    MAX(
      CASE
        WHEN (
          "t0"."meter" = 'storage.bytes'
        )
        AND (
          (
            "t0"."age" >= 21
          ) AND (
            "t0"."age" <= 28
          )
        )
        THEN "t0"."gauge"
        ELSE NULL
      END
    ) AS "storage_before"
  FROM "meters" AS "t0"
  GROUP BY
    1
),
decision_bucket AS (
  SELECT
    *
  FROM (
    SELECT
      "t0"."sid",
      "t0"."tenant_id",
      "t0"."as_of_hour",
      CAST(FLOOR((
        "t0"."as_of_hour"
      ) / (
        2304
      )) AS BIGINT) AS "bucket"
    FROM "subject" AS "t0"
  ) AS "t1"
  UNION ALL
  SELECT
    *
  FROM (
    SELECT
      "t0"."sid",
      "t0"."tenant_id",
      "t0"."as_of_hour",
      CAST(FLOOR((
        "t0"."as_of_hour"
      ) / (
        2304
      )) AS BIGINT) - 1 AS "bucket"
    FROM "subject" AS "t0"
  ) AS "t2"
),
decisions AS (
  SELECT
    "t5"."tenant_id",
    "t5"."start_hour",
    "t5"."known_hour",
    "t5"."arm",
    "t5"."propensity",
    "t5"."period_days",
    "t5"."mode",
    "t5"."bucket",
    "t5"."sid",
    "t5"."as_of_hour",
    "t5"."as_of_hour" - "t5"."start_hour" AS "hours_ago"
  FROM (
    SELECT
      "t4"."tenant_id",
      "t4"."start_hour",
      "t4"."known_hour",
      "t4"."arm",
      "t4"."propensity",
      "t4"."period_days",
      "t4"."mode",
      "t4"."bucket",
      "t2"."sid",
      "t2"."as_of_hour"
    FROM (
      SELECT
        "t0"."tenant_id",
        "t0"."start_hour",
        "t0"."known_hour",
        "t0"."arm",
        "t0"."propensity",
        "t0"."period_days",
        "t0"."mode",
        CAST(FLOOR((
          "t0"."start_hour"
        ) / (
          2304
        )) AS BIGINT) AS "bucket"
      FROM "decision" AS "t0"
      WHERE
        "t0"."mode" = 'live'
    ) AS "t4"
    INNER JOIN "decision_bucket" AS "t2"
      ON "t4"."tenant_id" = "t2"."tenant_id" AND "t4"."bucket" = "t2"."bucket"
  ) AS "t5"
  WHERE
    "t5"."start_hour" < "t5"."as_of_hour"
    AND "t5"."known_hour" < "t5"."as_of_hour"
    AND "t5"."start_hour" >= (
      "t5"."as_of_hour" - 2016
    )
),
of_decisions AS (
  SELECT
    "t0"."sid",
    CAST(COUNT(CASE WHEN "t0"."hours_ago" <= 672 THEN 1 ELSE NULL END) AS DOUBLE) AS "decisions_28d",
    SUM(CASE WHEN "t0"."hours_ago" <= 672 THEN CAST("t0"."arm" AS DOUBLE) ELSE 0.0 END) AS "arms_28d",
    CAST(COUNT(
      CASE
        WHEN (
          "t0"."hours_ago" <= 672
        ) AND (
          "t0"."arm" < 100
        )
        THEN 1
        ELSE NULL
      END
    ) AS DOUBLE) AS "tightened_28d",
    MAX(
      CASE
        WHEN "t0"."hours_ago" > 0
        THEN (
          "t0"."start_hour" * 1024
        ) + "t0"."arm"
        ELSE NULL
      END
    ) AS "arm_newest",
    MAX(CASE WHEN "t0"."arm" < 100 THEN "t0"."start_hour" ELSE NULL END) AS "friction_newest"
  FROM "decisions" AS "t0"
  GROUP BY
    1
),
tickets AS (
  SELECT
    "t5"."tenant_id",
    "t5"."opened_hour",
    "t5"."known_hour",
    "t5"."severity",
    "t5"."closed_hour",
    "t5"."sid",
    "t5"."as_of_hour",
    "t5"."as_of_hour" - "t5"."opened_hour" AS "hours_ago",
    (
      "t5"."closed_hour" IS NULL
    ) OR (
      "t5"."closed_hour" >= "t5"."as_of_hour"
    ) AS "open"
  FROM (
    SELECT
      "t2"."tenant_id",
      "t2"."opened_hour",
      "t2"."known_hour",
      "t2"."severity",
      "t2"."closed_hour",
      "t4"."sid",
      "t4"."as_of_hour"
    FROM "ticket" AS "t2"
    INNER JOIN (
      SELECT
        "t1"."sid",
        "t1"."tenant_id",
        "t1"."as_of_hour"
      FROM "subject" AS "t1"
    ) AS "t4"
      ON "t2"."tenant_id" = "t4"."tenant_id"
  ) AS "t5"
  WHERE
    "t5"."opened_hour" < "t5"."as_of_hour" AND "t5"."known_hour" < "t5"."as_of_hour"
),
of_tickets AS (
  SELECT
    "t0"."sid",
    CAST(COUNT(CASE WHEN "t0"."open" THEN 1 ELSE NULL END) AS DOUBLE) AS "tickets_now_open",
    CAST(COUNT(CASE WHEN "t0"."hours_ago" <= 672 THEN 1 ELSE NULL END) AS DOUBLE) AS "tickets_of_28d",
    CAST(COUNT(
      CASE
        WHEN (
          "t0"."hours_ago" <= 672
        ) AND (
          "t0"."severity" = 'urgent'
        )
        THEN 1
        ELSE NULL
      END
    ) AS DOUBLE) AS "tickets_urgent_of_28d"
  FROM "tickets" AS "t0"
  GROUP BY
    1
),
changes AS (
  SELECT
    "t5"."tenant_id",
    "t5"."event_hour",
    "t5"."known_hour",
    "t5"."kind",
    "t5"."plan",
    "t5"."mrr",
    "t5"."version",
    "t5"."sid",
    "t5"."as_of_hour",
    "t5"."as_of_hour" - "t5"."event_hour" AS "hours_ago"
  FROM (
    SELECT
      "t2"."tenant_id",
      "t2"."event_hour",
      "t2"."known_hour",
      "t2"."kind",
      "t2"."plan",
      "t2"."mrr",
      "t2"."version",
      "t4"."sid",
      "t4"."as_of_hour"
    FROM "subscription" AS "t2"
    INNER JOIN (
      SELECT
        "t1"."sid",
        "t1"."tenant_id",
        "t1"."as_of_hour"
      FROM "subject" AS "t1"
    ) AS "t4"
      ON "t2"."tenant_id" = "t4"."tenant_id"
  ) AS "t5"
  WHERE
    "t5"."event_hour" < "t5"."as_of_hour" AND "t5"."known_hour" < "t5"."as_of_hour"
),
of_changes AS (
  SELECT
    "t0"."sid",
    CAST(COUNT(CASE WHEN "t0"."kind" = 'upgraded' THEN 1 ELSE NULL END) AS DOUBLE) AS "upgrade_count",
    CAST(COUNT(CASE WHEN "t0"."kind" = 'downgraded' THEN 1 ELSE NULL END) AS DOUBLE) AS "downgrade_count",
    MAX(
      CASE
        WHEN "t0"."kind" IN ('upgraded', 'downgraded')
        THEN "t0"."event_hour"
        ELSE NULL
      END
    ) AS "change_newest"
  FROM "changes" AS "t0"
  GROUP BY
    1
),
interventions AS (
  SELECT
    "t5"."tenant_id",
    "t5"."event_hour",
    "t5"."known_hour",
    "t5"."kind",
    "t5"."sid",
    "t5"."as_of_hour",
    "t5"."as_of_hour" - "t5"."event_hour" AS "hours_ago"
  FROM (
    SELECT
      "t2"."tenant_id",
      "t2"."event_hour",
      "t2"."known_hour",
      "t2"."kind",
      "t4"."sid",
      "t4"."as_of_hour"
    FROM "intervention" AS "t2"
    INNER JOIN (
      SELECT
        "t1"."sid",
        "t1"."tenant_id",
        "t1"."as_of_hour"
      FROM "subject" AS "t1"
    ) AS "t4"
      ON "t2"."tenant_id" = "t4"."tenant_id"
  ) AS "t5"
  WHERE
    "t5"."event_hour" < "t5"."as_of_hour" AND "t5"."known_hour" < "t5"."as_of_hour"
),
of_interventions AS (
  SELECT
    "t0"."sid",
    CAST(COUNT(CASE WHEN "t0"."hours_ago" <= 672 THEN 1 ELSE NULL END) AS DOUBLE) AS "interventions_of_28d"
  FROM "interventions" AS "t0"
  GROUP BY
    1
),
incident_scope AS (
  SELECT
    *
  FROM (
    SELECT
      "t0"."sid",
      "t0"."as_of_hour",
      'tenant' AS "scope_kind",
      "t0"."tenant_id" AS "key"
    FROM "subject" AS "t0"
  ) AS "t2"
  UNION ALL
  SELECT
    *
  FROM (
    SELECT
      *
    FROM (
      SELECT
        "t0"."sid",
        "t0"."as_of_hour",
        'all' AS "scope_kind",
        '' AS "key"
      FROM "subject" AS "t0"
    ) AS "t1"
    UNION ALL
    SELECT
      *
    FROM (
      SELECT
        "t0"."sid",
        "t0"."as_of_hour",
        'region' AS "scope_kind",
        "t0"."region" AS "key"
      FROM "subject" AS "t0"
    ) AS "t3"
  ) AS "t4"
),
incidents AS (
  SELECT
    "t5"."scope_kind",
    "t5"."scope",
    "t5"."from_hour",
    "t5"."to_hour",
    "t5"."known_hour",
    "t5"."key",
    "t5"."sid",
    "t5"."as_of_hour",
    CAST(GREATEST(
      LEAST(COALESCE("t5"."to_hour", "t5"."as_of_hour"), "t5"."as_of_hour") - GREATEST("t5"."from_hour", "t5"."as_of_hour" - 672),
      0
    ) AS DOUBLE) AS "hours"
  FROM (
    SELECT
      "t4"."scope_kind",
      "t4"."scope",
      "t4"."from_hour",
      "t4"."to_hour",
      "t4"."known_hour",
      "t4"."key",
      "t2"."sid",
      "t2"."as_of_hour"
    FROM (
      SELECT
        "t0"."scope_kind",
        "t0"."scope",
        "t0"."from_hour",
        "t0"."to_hour",
        "t0"."known_hour",
        CASE WHEN "t0"."scope_kind" = 'all' THEN '' ELSE "t0"."scope" END AS "key"
      FROM "incident" AS "t0"
    ) AS "t4"
    INNER JOIN "incident_scope" AS "t2"
      ON "t4"."scope_kind" = "t2"."scope_kind" AND "t4"."key" = "t2"."key"
  ) AS "t5"
  WHERE
    "t5"."from_hour" < "t5"."as_of_hour" AND "t5"."known_hour" < "t5"."as_of_hour"
),
of_incidents AS (
  SELECT
    "t0"."sid",
    SUM(CASE WHEN "t0"."hours" > 0.0 THEN "t0"."hours" ELSE 0.0 END) AS "incident_hours_of_28d"
  FROM "incidents" AS "t0"
  GROUP BY
    1
),
measured AS (
  SELECT
    "t9"."tenant_id",
    "t9"."as_of_hour",
    "t9"."sid",
    "t9"."as_of_day",
    "t9"."day_part",
    "t9"."plan",
    "t9"."created_hour",
    "t9"."parent_org",
    "t9"."segment",
    "t9"."region",
    "t9"."renewal_hour",
    "t9"."base_limit",
    "t9"."contract_limit",
    "t9"."window_seconds",
    "t9"."organisation",
    "t9"."primary_meter",
    "t9"."mrr",
    "t9"."seats",
    "t9"."rank",
    "t9"."price",
    "t10"."demand_7d",
    "t10"."demand_28d",
    "t10"."demand_30d",
    "t10"."demand_prior_week",
    "t10"."demand_third_week",
    "t10"."demand_top_day_28d",
    "t10"."active_days_28",
    "t10"."day_excess_70_28d",
    "t10"."day_excess_85_28d",
    "t10"."day_excess_100_28d",
    "t10"."day_excess_115_28d",
    "t10"."day_excess_130_28d",
    "t10"."share_top_7d",
    "t10"."share_top_28d",
    "t10"."demand_top_day_7d",
    "t10"."days_at_top",
    "t10"."demand_below_top",
    "t10"."hour_peak_28d",
    "t10"."hour_peak_1d",
    "t10"."demand_top_day_1d",
    "t10"."usual_days",
    "t10"."usual_hour_peaks",
    "t10"."usual_demand",
    "t10"."demand_1d",
    "t10"."demand_moment",
    "t10"."demand_complete",
    "t10"."weekday_0",
    "t10"."weekday_1",
    "t10"."weekday_2",
    "t10"."weekday_3",
    "t10"."weekday_4",
    "t10"."weekday_5",
    "t10"."weekday_6",
    "t10"."blocked_7d",
    "t10"."blocked_28d",
    "t10"."blocked_days",
    "t10"."limit_days",
    "t10"."active_days_7",
    "t10"."last_event_us",
    "t10"."logins_of_7d",
    "t10"."logins_of_28d",
    "t11"."windows_7d",
    "t11"."windows_28d",
    "t11"."share_sum_7d",
    "t11"."share_sum_28d",
    "t11"."bin_sum_1_28d",
    "t11"."bin_count_1_28d",
    "t11"."bin_sum_2_28d",
    "t11"."bin_count_2_28d",
    "t11"."bin_sum_3_28d",
    "t11"."bin_count_3_28d",
    "t11"."bin_sum_4_28d",
    "t11"."bin_count_4_28d",
    "t11"."bin_sum_5_28d",
    "t11"."bin_count_5_28d",
    "t11"."coarse_windows_28d",
    "t11"."busy_hours",
    "t12"."seats_newest",
    "t12"."integrations_newest",
    "t12"."exports_of_28d",
    "t12"."ai_tokens_of_28d",
    "t12"."db_reads_of_28d",
    "t12"."workflows_of_28d",
    "t12"."storage_newest",
    "t12"."storage_before",
    "t13"."decisions_28d",
    "t13"."arms_28d",
    "t13"."tightened_28d",
    "t13"."arm_newest",
    "t13"."friction_newest",
    "t14"."tickets_now_open",
    "t14"."tickets_of_28d",
    "t14"."tickets_urgent_of_28d",
    "t15"."upgrade_count",
    "t15"."downgrade_count",
    "t15"."change_newest",
    "t16"."interventions_of_28d",
    "t17"."incident_hours_of_28d"
  FROM "subject" AS "t9"
  LEFT OUTER JOIN "of_days" AS "t10"
    ON "t9"."sid" = "t10"."sid"
  LEFT OUTER JOIN "of_shares" AS "t11"
    ON "t9"."sid" = "t11"."sid"
  LEFT OUTER JOIN "of_meters" AS "t12"
    ON "t9"."sid" = "t12"."sid"
  LEFT OUTER JOIN "of_decisions" AS "t13"
    ON "t9"."sid" = "t13"."sid"
  LEFT OUTER JOIN "of_tickets" AS "t14"
    ON "t9"."sid" = "t14"."sid"
  LEFT OUTER JOIN "of_changes" AS "t15"
    ON "t9"."sid" = "t15"."sid"
  LEFT OUTER JOIN "of_interventions" AS "t16"
    ON "t9"."sid" = "t16"."sid"
  LEFT OUTER JOIN "of_incidents" AS "t17"
    ON "t9"."sid" = "t17"."sid"
),
derived_1 AS (
  SELECT
    "t0"."tenant_id",
    "t0"."as_of_hour",
    "t0"."plan",
    "t0"."parent_org",
    "t0"."segment",
    "t0"."region",
    "t0"."base_limit",
    "t0"."contract_limit",
    "t0"."window_seconds",
    "t0"."organisation",
    "t0"."mrr",
    "t0"."demand_7d",
    "t0"."demand_28d",
    "t0"."demand_prior_week",
    "t0"."demand_third_week",
    "t0"."active_days_28",
    "t0"."share_top_7d",
    "t0"."share_top_28d",
    "t0"."demand_top_day_7d",
    "t0"."hour_peak_28d",
    "t0"."active_days_7",
    "t0"."logins_of_7d",
    "t0"."logins_of_28d",
    "t0"."windows_7d",
    "t0"."windows_28d",
    "t0"."share_sum_7d",
    "t0"."share_sum_28d",
    "t0"."busy_hours",
    "t0"."exports_of_28d",
    "t0"."ai_tokens_of_28d",
    "t0"."db_reads_of_28d",
    "t0"."day_part" + 7.0 AS "span_7d",
    "t0"."day_part" + 28.0 AS "span_28d",
    CASE
      WHEN "t0"."window_seconds" > 3600
      THEN (
        CAST("t0"."base_limit" AS DOUBLE) * 86400.0
      ) / CAST("t0"."window_seconds" AS DOUBLE)
      ELSE CAST(NULL AS DOUBLE)
    END AS "day_limit",
    CASE
      WHEN "t0"."window_seconds" IS NULL
      THEN CAST(NULL AS DOUBLE)
      WHEN "t0"."window_seconds" > 86400
      THEN CASE
        WHEN "t0"."demand_30d" > 0.0
        THEN CASE
          WHEN "t0"."demand_30d" > CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 70
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
          THEN "t0"."demand_30d" - CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 70
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
          ELSE 0.0
        END / "t0"."demand_30d"
        ELSE CAST(NULL AS DOUBLE)
      END
      WHEN "t0"."window_seconds" > 3600
      THEN CASE
        WHEN "t0"."demand_complete" > 0.0
        THEN "t0"."day_excess_70_28d" / "t0"."demand_complete"
        ELSE CAST(NULL AS DOUBLE)
      END
      ELSE CASE
        WHEN "t0"."share_sum_28d" > 0.0
        THEN GREATEST(
          (
            "t0"."bin_sum_1_28d" + "t0"."bin_sum_2_28d" + "t0"."bin_sum_3_28d" + "t0"."bin_sum_4_28d" + "t0"."bin_sum_5_28d"
          ) - (
            (
              "t0"."bin_count_1_28d" + "t0"."bin_count_2_28d" + "t0"."bin_count_3_28d" + "t0"."bin_count_4_28d" + "t0"."bin_count_5_28d"
            ) * 0.7
          ),
          0.0
        ) / "t0"."share_sum_28d"
        ELSE CAST(NULL AS DOUBLE)
      END
    END AS "blocked_70",
    CASE
      WHEN "t0"."window_seconds" IS NULL
      THEN CAST(NULL AS DOUBLE)
      WHEN "t0"."window_seconds" > 86400
      THEN CASE
        WHEN "t0"."demand_30d" > 0.0
        THEN CASE
          WHEN "t0"."demand_30d" > CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 85
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
          THEN "t0"."demand_30d" - CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 85
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
          ELSE 0.0
        END / "t0"."demand_30d"
        ELSE CAST(NULL AS DOUBLE)
      END
      WHEN "t0"."window_seconds" > 3600
      THEN CASE
        WHEN "t0"."demand_complete" > 0.0
        THEN "t0"."day_excess_85_28d" / "t0"."demand_complete"
        ELSE CAST(NULL AS DOUBLE)
      END
      ELSE CASE
        WHEN "t0"."share_sum_28d" > 0.0
        THEN GREATEST(
          (
            "t0"."bin_sum_2_28d" + "t0"."bin_sum_3_28d" + "t0"."bin_sum_4_28d" + "t0"."bin_sum_5_28d"
          ) - (
            (
              "t0"."bin_count_2_28d" + "t0"."bin_count_3_28d" + "t0"."bin_count_4_28d" + "t0"."bin_count_5_28d"
            ) * 0.85
          ),
          0.0
        ) / "t0"."share_sum_28d"
        ELSE CAST(NULL AS DOUBLE)
      END
    END AS "blocked_85",
    CASE
      WHEN "t0"."window_seconds" IS NULL
      THEN CAST(NULL AS DOUBLE)
      WHEN "t0"."window_seconds" > 86400
      THEN CASE
        WHEN "t0"."demand_30d" > 0.0
        THEN CASE
          WHEN "t0"."demand_30d" > CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 100
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
          THEN "t0"."demand_30d" - CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 100
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
          ELSE 0.0
        END / "t0"."demand_30d"
        ELSE CAST(NULL AS DOUBLE)
      END
      WHEN "t0"."window_seconds" > 3600
      THEN CASE
        WHEN "t0"."demand_complete" > 0.0
        THEN "t0"."day_excess_100_28d" / "t0"."demand_complete"
        ELSE CAST(NULL AS DOUBLE)
      END
      ELSE CASE
        WHEN "t0"."share_sum_28d" > 0.0
        THEN GREATEST(
          (
            "t0"."bin_sum_3_28d" + "t0"."bin_sum_4_28d" + "t0"."bin_sum_5_28d"
          ) - (
            (
              "t0"."bin_count_3_28d" + "t0"."bin_count_4_28d" + "t0"."bin_count_5_28d"
            ) * 1.0
          ),
          0.0
        ) / "t0"."share_sum_28d"
        ELSE CAST(NULL AS DOUBLE)
      END
    END AS "blocked_100",
    CASE
      WHEN "t0"."window_seconds" IS NULL
      THEN CAST(NULL AS DOUBLE)
      WHEN "t0"."window_seconds" > 86400
      THEN CASE
        WHEN "t0"."demand_30d" > 0.0
        THEN CASE
          WHEN "t0"."demand_30d" > CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 115
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
          THEN "t0"."demand_30d" - CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 115
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
          ELSE 0.0
        END / "t0"."demand_30d"
        ELSE CAST(NULL AS DOUBLE)
      END
      WHEN "t0"."window_seconds" > 3600
      THEN CASE
        WHEN "t0"."demand_complete" > 0.0
        THEN "t0"."day_excess_115_28d" / "t0"."demand_complete"
        ELSE CAST(NULL AS DOUBLE)
      END
      ELSE CASE
        WHEN "t0"."share_sum_28d" > 0.0
        THEN GREATEST(
          (
            "t0"."bin_sum_4_28d" + "t0"."bin_sum_5_28d"
          ) - (
            (
              "t0"."bin_count_4_28d" + "t0"."bin_count_5_28d"
            ) * 1.15
          ),
          0.0
        ) / "t0"."share_sum_28d"
        ELSE CAST(NULL AS DOUBLE)
      END
    END AS "blocked_115",
    CASE
      WHEN "t0"."window_seconds" IS NULL
      THEN CAST(NULL AS DOUBLE)
      WHEN "t0"."window_seconds" > 86400
      THEN CASE
        WHEN "t0"."demand_30d" > 0.0
        THEN CASE
          WHEN "t0"."demand_30d" > CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 130
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
          THEN "t0"."demand_30d" - CAST(CAST(FLOOR((
            (
              "t0"."base_limit" * 130
            ) + 99
          ) / (
            100
          )) AS BIGINT) AS DOUBLE)
          ELSE 0.0
        END / "t0"."demand_30d"
        ELSE CAST(NULL AS DOUBLE)
      END
      WHEN "t0"."window_seconds" > 3600
      THEN CASE
        WHEN "t0"."demand_complete" > 0.0
        THEN "t0"."day_excess_130_28d" / "t0"."demand_complete"
        ELSE CAST(NULL AS DOUBLE)
      END
      ELSE CASE
        WHEN "t0"."share_sum_28d" > 0.0
        THEN GREATEST("t0"."bin_sum_5_28d" - (
          "t0"."bin_count_5_28d" * 1.3
        ), 0.0) / "t0"."share_sum_28d"
        ELSE CAST(NULL AS DOUBLE)
      END
    END AS "blocked_130",
    COALESCE("t0"."coarse_windows_28d" > 0.0, FALSE) AS "coarse",
    CASE
      WHEN "t0"."window_seconds" > 3600
      THEN CASE
        WHEN CAST("t0"."base_limit" AS DOUBLE) > 0.0
        THEN CASE
          WHEN "t0"."window_seconds" > 86400
          THEN "t0"."demand_30d"
          ELSE "t0"."demand_top_day_28d"
        END / CAST("t0"."base_limit" AS DOUBLE)
        ELSE CAST(NULL AS DOUBLE)
      END
      ELSE CAST(NULL AS DOUBLE)
    END AS "share_top_long_28d",
    CASE
      WHEN "t0"."windows_28d" > 0.0
      THEN (
        "t0"."bin_count_3_28d" + "t0"."bin_count_4_28d" + "t0"."bin_count_5_28d"
      ) / "t0"."windows_28d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "windows_over_limit_28d",
    CASE
      WHEN "t0"."windows_28d" > 0.0
      THEN (
        "t0"."bin_count_1_28d" + "t0"."bin_count_2_28d"
      ) / "t0"."windows_28d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "windows_near_limit_28d",
    LN(
      COALESCE(
        CASE
          WHEN "t0"."days_at_top" >= 2
          THEN "t0"."demand_top_day_28d"
          ELSE COALESCE("t0"."demand_below_top", 0.0)
        END,
        0.0
      ) + 1.0
    ) AS "demand_p95_28d",
    CASE
      WHEN (
        EXP(
          CASE
            WHEN "t0"."usual_days" > 0.0
            THEN "t0"."usual_hour_peaks" / "t0"."usual_days"
            ELSE CAST(NULL AS DOUBLE)
          END
        ) - 1.0
      ) > 0.0
      THEN COALESCE("t0"."hour_peak_1d", 0.0) / (
        EXP(
          CASE
            WHEN "t0"."usual_days" > 0.0
            THEN "t0"."usual_hour_peaks" / "t0"."usual_days"
            ELSE CAST(NULL AS DOUBLE)
          END
        ) - 1.0
      )
      ELSE CAST(NULL AS DOUBLE)
    END AS "spike_hour_ratio",
    CASE
      WHEN (
        EXP(
          CASE
            WHEN "t0"."usual_days" > 0.0
            THEN "t0"."usual_demand" / "t0"."usual_days"
            ELSE CAST(NULL AS DOUBLE)
          END
        ) - 1.0
      ) > 0.0
      THEN COALESCE("t0"."demand_top_day_1d", 0.0) / (
        EXP(
          CASE
            WHEN "t0"."usual_days" > 0.0
            THEN "t0"."usual_demand" / "t0"."usual_days"
            ELSE CAST(NULL AS DOUBLE)
          END
        ) - 1.0
      )
      ELSE CAST(NULL AS DOUBLE)
    END AS "spike_day_ratio",
    LN(COALESCE("t0"."demand_1d", 0.0) + 1.0) AS "demand_sum_1d",
    CASE
      WHEN (
        "t0"."demand_complete" / 28.0
      ) > 0.0
      THEN (
        (
          "t0"."demand_moment" / 2.0
        ) / 1827.0
      ) / (
        "t0"."demand_complete" / 28.0
      )
      ELSE CAST(NULL AS DOUBLE)
    END AS "demand_slope_28d",
    CASE
      WHEN (
        "t0"."demand_complete" / 7.0
      ) > 0.0
      THEN (
        GREATEST(
          "t0"."weekday_0",
          "t0"."weekday_1",
          "t0"."weekday_2",
          "t0"."weekday_3",
          "t0"."weekday_4",
          "t0"."weekday_5",
          "t0"."weekday_6"
        ) - LEAST(
          "t0"."weekday_0",
          "t0"."weekday_1",
          "t0"."weekday_2",
          "t0"."weekday_3",
          "t0"."weekday_4",
          "t0"."weekday_5",
          "t0"."weekday_6"
        )
      ) / (
        "t0"."demand_complete" / 7.0
      )
      ELSE CAST(NULL AS DOUBLE)
    END AS "weekday_strength_28d",
    CASE
      WHEN "t0"."demand_7d" > 0.0
      THEN "t0"."blocked_7d" / "t0"."demand_7d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "blocked_share_7d",
    CASE
      WHEN "t0"."demand_28d" > 0.0
      THEN "t0"."blocked_28d" / "t0"."demand_28d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "blocked_share_28d",
    COALESCE("t0"."blocked_days", 0.0) AS "days_blocked_28d",
    COALESCE("t0"."limit_days", 0.0) AS "days_at_limit_28d",
    CASE
      WHEN "t0"."decisions_28d" > 0.0
      THEN (
        "t0"."arms_28d" / 100.0
      ) / "t0"."decisions_28d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "arm_mean_28d",
    CAST("t0"."arm_newest" % 1024 AS DOUBLE) / 100.0 AS "arm_last",
    CASE
      WHEN "t0"."decisions_28d" > 0.0
      THEN "t0"."tightened_28d" / "t0"."decisions_28d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "tightened_share_28d",
    CAST("t0"."as_of_hour" - "t0"."friction_newest" AS DOUBLE) / 24.0 AS "days_since_friction",
    CAST((
      "t0"."as_of_hour" * 3600000000
    ) - "t0"."last_event_us" AS DOUBLE) / 86400000000.0 AS "days_since_event",
    CAST("t0"."seats_newest" % 1125899906842624 AS DOUBLE) AS "seats_active",
    CASE
      WHEN "t0"."seats" > 0.0
      THEN CAST("t0"."seats_newest" % 1125899906842624 AS DOUBLE) / "t0"."seats"
      ELSE CAST(NULL AS DOUBLE)
    END AS "seat_share",
    CAST("t0"."integrations_newest" % 1125899906842624 AS DOUBLE) AS "integrations_active",
    COALESCE("t0"."workflows_of_28d", 0.0) AS "workflows_peak_28d",
    CASE
      WHEN (
        CAST("t0"."storage_newest" % 1125899906842624 AS DOUBLE) + CAST("t0"."storage_before" % 1125899906842624 AS DOUBLE)
      ) > 0.0
      THEN (
        CAST("t0"."storage_newest" % 1125899906842624 AS DOUBLE) - CAST("t0"."storage_before" % 1125899906842624 AS DOUBLE)
      ) / (
        CAST("t0"."storage_newest" % 1125899906842624 AS DOUBLE) + CAST("t0"."storage_before" % 1125899906842624 AS DOUBLE)
      )
      ELSE CAST(NULL AS DOUBLE)
    END AS "storage_growth_28d",
    CAST("t0"."as_of_hour" - "t0"."created_hour" AS DOUBLE) / 24.0 AS "tenure_days",
    "t0"."rank" AS "plan_rank",
    LN("t0"."price" + 1.0) AS "plan_price",
    LN("t0"."mrr" + 1.0) AS "mrr_log",
    CAST("t0"."renewal_hour" - "t0"."as_of_hour" AS DOUBLE) / 24.0 AS "renewal_days",
    COALESCE("t0"."upgrade_count", 0.0) AS "upgrades",
    COALESCE("t0"."downgrade_count", 0.0) AS "downgrades",
    CAST("t0"."as_of_hour" - "t0"."change_newest" AS DOUBLE) / 24.0 AS "plan_change_days",
    COALESCE("t0"."tickets_now_open", 0.0) AS "tickets_open",
    COALESCE("t0"."tickets_of_28d", 0.0) AS "tickets_28d",
    COALESCE("t0"."tickets_urgent_of_28d", 0.0) AS "tickets_urgent_28d",
    COALESCE("t0"."interventions_of_28d", 0.0) AS "interventions_28d",
    COALESCE("t0"."incident_hours_of_28d", 0.0) AS "incident_hours_28d"
  FROM "measured" AS "t0"
),
derived_2 AS (
  SELECT
    "t0"."tenant_id",
    "t0"."as_of_hour",
    "t0"."plan",
    "t0"."parent_org",
    "t0"."segment",
    "t0"."region",
    "t0"."base_limit",
    "t0"."contract_limit",
    "t0"."window_seconds",
    "t0"."organisation",
    "t0"."mrr",
    "t0"."demand_prior_week",
    "t0"."demand_third_week",
    "t0"."hour_peak_28d",
    "t0"."windows_7d",
    "t0"."windows_28d",
    "t0"."share_sum_7d",
    "t0"."share_sum_28d",
    "t0"."day_limit",
    "t0"."blocked_70",
    "t0"."blocked_85",
    "t0"."blocked_100",
    "t0"."blocked_115",
    "t0"."blocked_130",
    "t0"."coarse",
    "t0"."windows_over_limit_28d",
    "t0"."windows_near_limit_28d",
    "t0"."demand_p95_28d",
    "t0"."spike_hour_ratio",
    "t0"."spike_day_ratio",
    "t0"."demand_sum_1d",
    "t0"."demand_slope_28d",
    "t0"."weekday_strength_28d",
    "t0"."blocked_share_7d",
    "t0"."blocked_share_28d",
    "t0"."days_blocked_28d",
    "t0"."days_at_limit_28d",
    "t0"."arm_mean_28d",
    "t0"."arm_last",
    "t0"."tightened_share_28d",
    "t0"."days_since_friction",
    "t0"."days_since_event",
    "t0"."seats_active",
    "t0"."seat_share",
    "t0"."integrations_active",
    "t0"."workflows_peak_28d",
    "t0"."storage_growth_28d",
    "t0"."tenure_days",
    "t0"."plan_rank",
    "t0"."plan_price",
    "t0"."mrr_log",
    "t0"."renewal_days",
    "t0"."upgrades",
    "t0"."downgrades",
    "t0"."plan_change_days",
    "t0"."tickets_open",
    "t0"."tickets_28d",
    "t0"."tickets_urgent_28d",
    "t0"."interventions_28d",
    "t0"."incident_hours_28d",
    CASE
      WHEN "t0"."span_7d" > 0.0
      THEN "t0"."demand_7d" / "t0"."span_7d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "demand_mean_7",
    CASE
      WHEN "t0"."span_28d" > 0.0
      THEN "t0"."demand_28d" / "t0"."span_28d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "demand_mean_28",
    COALESCE(
      CASE
        WHEN "t0"."day_limit" > 0.0
        THEN "t0"."demand_top_day_7d" / "t0"."day_limit"
        ELSE CAST(NULL AS DOUBLE)
      END,
      "t0"."share_top_7d"
    ) AS "share_peak_7d",
    COALESCE("t0"."share_top_long_28d", "t0"."share_top_28d") AS "share_peak_28d",
    "t0"."blocked_100" AS "predicted_blocked_28d",
    "t0"."blocked_70" - "t0"."blocked_100" AS "predicted_dose_28d",
    CASE
      WHEN "t0"."span_28d" > 0.0
      THEN COALESCE("t0"."busy_hours", 0.0) / "t0"."span_28d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "active_hours_28d",
    CASE
      WHEN "t0"."span_7d" > 0.0
      THEN COALESCE("t0"."active_days_7", 0.0) / "t0"."span_7d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "active_days_7d",
    CASE
      WHEN "t0"."span_28d" > 0.0
      THEN COALESCE("t0"."active_days_28", 0.0) / "t0"."span_28d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "active_days_28d",
    CASE
      WHEN "t0"."span_28d" > 0.0
      THEN COALESCE("t0"."logins_of_28d", 0.0) / "t0"."span_28d"
      ELSE CAST(NULL AS DOUBLE)
    END AS "logins_28d",
    CASE
      WHEN (
        CASE
          WHEN "t0"."span_7d" > 0.0
          THEN "t0"."logins_of_7d" / "t0"."span_7d"
          ELSE CAST(NULL AS DOUBLE)
        END + CASE
          WHEN "t0"."span_28d" > 0.0
          THEN "t0"."logins_of_28d" / "t0"."span_28d"
          ELSE CAST(NULL AS DOUBLE)
        END
      ) > 0.0
      THEN (
        CASE
          WHEN "t0"."span_7d" > 0.0
          THEN "t0"."logins_of_7d" / "t0"."span_7d"
          ELSE CAST(NULL AS DOUBLE)
        END - CASE
          WHEN "t0"."span_28d" > 0.0
          THEN "t0"."logins_of_28d" / "t0"."span_28d"
          ELSE CAST(NULL AS DOUBLE)
        END
      ) / (
        CASE
          WHEN "t0"."span_7d" > 0.0
          THEN "t0"."logins_of_7d" / "t0"."span_7d"
          ELSE CAST(NULL AS DOUBLE)
        END + CASE
          WHEN "t0"."span_28d" > 0.0
          THEN "t0"."logins_of_28d" / "t0"."span_28d"
          ELSE CAST(NULL AS DOUBLE)
        END
      )
      ELSE CAST(NULL AS DOUBLE)
    END AS "logins_change",
    LN(
      CASE
        WHEN "t0"."span_28d" > 0.0
        THEN COALESCE("t0"."exports_of_28d", 0.0) / "t0"."span_28d"
        ELSE CAST(NULL AS DOUBLE)
      END + 1.0
    ) AS "exports_28d",
    LN(
      CASE
        WHEN "t0"."span_28d" > 0.0
        THEN COALESCE("t0"."ai_tokens_of_28d", 0.0) / "t0"."span_28d"
        ELSE CAST(NULL AS DOUBLE)
      END + 1.0
    ) AS "ai_tokens_28d",
    LN(
      CASE
        WHEN "t0"."span_28d" > 0.0
        THEN COALESCE("t0"."db_reads_of_28d", 0.0) / "t0"."span_28d"
        ELSE CAST(NULL AS DOUBLE)
      END + 1.0
    ) AS "db_reads_28d"
  FROM "derived_1" AS "t0"
),
derived_3 AS (
  SELECT
    "t0"."tenant_id",
    "t0"."as_of_hour",
    "t0"."plan",
    "t0"."parent_org",
    "t0"."segment",
    "t0"."region",
    "t0"."base_limit",
    "t0"."contract_limit",
    "t0"."window_seconds",
    "t0"."organisation",
    "t0"."mrr",
    "t0"."blocked_70",
    "t0"."blocked_85",
    "t0"."blocked_100",
    "t0"."blocked_115",
    "t0"."blocked_130",
    "t0"."coarse",
    "t0"."windows_over_limit_28d",
    "t0"."windows_near_limit_28d",
    "t0"."demand_p95_28d",
    "t0"."spike_hour_ratio",
    "t0"."spike_day_ratio",
    "t0"."demand_sum_1d",
    "t0"."demand_slope_28d",
    "t0"."weekday_strength_28d",
    "t0"."blocked_share_7d",
    "t0"."blocked_share_28d",
    "t0"."days_blocked_28d",
    "t0"."days_at_limit_28d",
    "t0"."arm_mean_28d",
    "t0"."arm_last",
    "t0"."tightened_share_28d",
    "t0"."days_since_friction",
    "t0"."days_since_event",
    "t0"."seats_active",
    "t0"."seat_share",
    "t0"."integrations_active",
    "t0"."workflows_peak_28d",
    "t0"."storage_growth_28d",
    "t0"."tenure_days",
    "t0"."plan_rank",
    "t0"."plan_price",
    "t0"."mrr_log",
    "t0"."renewal_days",
    "t0"."upgrades",
    "t0"."downgrades",
    "t0"."plan_change_days",
    "t0"."tickets_open",
    "t0"."tickets_28d",
    "t0"."tickets_urgent_28d",
    "t0"."interventions_28d",
    "t0"."incident_hours_28d",
    "t0"."share_peak_7d",
    "t0"."share_peak_28d",
    "t0"."predicted_blocked_28d",
    "t0"."predicted_dose_28d",
    "t0"."active_hours_28d",
    "t0"."active_days_7d",
    "t0"."active_days_28d",
    "t0"."logins_28d",
    "t0"."logins_change",
    "t0"."exports_28d",
    "t0"."ai_tokens_28d",
    "t0"."db_reads_28d",
    COALESCE("t0"."demand_mean_7", 0.0) * 7.0 AS "demand_period",
    COALESCE(
      CASE
        WHEN "t0"."day_limit" > 0.0
        THEN "t0"."demand_mean_7" / "t0"."day_limit"
        ELSE CAST(NULL AS DOUBLE)
      END,
      CASE
        WHEN "t0"."windows_7d" > 0.0
        THEN "t0"."share_sum_7d" / "t0"."windows_7d"
        ELSE CAST(NULL AS DOUBLE)
      END
    ) AS "share_mean_7d",
    COALESCE(
      CASE
        WHEN "t0"."day_limit" > 0.0
        THEN "t0"."demand_mean_28" / "t0"."day_limit"
        ELSE CAST(NULL AS DOUBLE)
      END,
      CASE
        WHEN "t0"."windows_28d" > 0.0
        THEN "t0"."share_sum_28d" / "t0"."windows_28d"
        ELSE CAST(NULL AS DOUBLE)
      END
    ) AS "share_mean_28d",
    CASE
      WHEN (
        "t0"."demand_mean_28" / 24.0
      ) > 0.0
      THEN "t0"."hour_peak_28d" / (
        "t0"."demand_mean_28" / 24.0
      )
      ELSE CAST(NULL AS DOUBLE)
    END AS "burst_ratio_28d",
    LN(COALESCE("t0"."demand_mean_7", 0.0) + 1.0) AS "demand_mean_7d",
    LN(COALESCE("t0"."demand_mean_28", 0.0) + 1.0) AS "demand_mean_28d",
    CASE
      WHEN (
        "t0"."demand_mean_7" + (
          "t0"."demand_prior_week" / 7.0
        )
      ) > 0.0
      THEN (
        "t0"."demand_mean_7" - (
          "t0"."demand_prior_week" / 7.0
        )
      ) / (
        "t0"."demand_mean_7" + (
          "t0"."demand_prior_week" / 7.0
        )
      )
      ELSE CAST(NULL AS DOUBLE)
    END AS "demand_week_on_week",
    CASE
      WHEN (
        "t0"."demand_mean_7" + (
          "t0"."demand_prior_week" / 7.0
        )
      ) > 0.0
      THEN (
        "t0"."demand_mean_7" - (
          "t0"."demand_prior_week" / 7.0
        )
      ) / (
        "t0"."demand_mean_7" + (
          "t0"."demand_prior_week" / 7.0
        )
      )
      ELSE CAST(NULL AS DOUBLE)
    END - CASE
      WHEN (
        "t0"."demand_prior_week" + "t0"."demand_third_week"
      ) > 0.0
      THEN (
        "t0"."demand_prior_week" - "t0"."demand_third_week"
      ) / (
        "t0"."demand_prior_week" + "t0"."demand_third_week"
      )
      ELSE CAST(NULL AS DOUBLE)
    END AS "demand_acceleration"
  FROM "derived_2" AS "t0"
),
derived_4 AS (
  SELECT
    "t0"."tenant_id",
    "t0"."as_of_hour",
    "t0"."plan",
    "t0"."parent_org",
    "t0"."segment",
    "t0"."region",
    "t0"."base_limit",
    "t0"."contract_limit",
    "t0"."window_seconds",
    "t0"."organisation",
    "t0"."mrr",
    "t0"."blocked_70",
    "t0"."blocked_85",
    "t0"."blocked_100",
    "t0"."blocked_115",
    "t0"."blocked_130",
    "t0"."coarse",
    "t0"."windows_over_limit_28d",
    "t0"."windows_near_limit_28d",
    "t0"."demand_p95_28d",
    "t0"."spike_hour_ratio",
    "t0"."spike_day_ratio",
    "t0"."demand_sum_1d",
    "t0"."demand_slope_28d",
    "t0"."weekday_strength_28d",
    "t0"."blocked_share_7d",
    "t0"."blocked_share_28d",
    "t0"."days_blocked_28d",
    "t0"."days_at_limit_28d",
    "t0"."arm_mean_28d",
    "t0"."arm_last",
    "t0"."tightened_share_28d",
    "t0"."days_since_friction",
    "t0"."days_since_event",
    "t0"."seats_active",
    "t0"."seat_share",
    "t0"."integrations_active",
    "t0"."workflows_peak_28d",
    "t0"."storage_growth_28d",
    "t0"."tenure_days",
    "t0"."plan_rank",
    "t0"."plan_price",
    "t0"."mrr_log",
    "t0"."renewal_days",
    "t0"."upgrades",
    "t0"."downgrades",
    "t0"."plan_change_days",
    "t0"."tickets_open",
    "t0"."tickets_28d",
    "t0"."tickets_urgent_28d",
    "t0"."interventions_28d",
    "t0"."incident_hours_28d",
    "t0"."share_peak_7d",
    "t0"."share_peak_28d",
    "t0"."predicted_blocked_28d",
    "t0"."predicted_dose_28d",
    "t0"."active_hours_28d",
    "t0"."active_days_7d",
    "t0"."active_days_28d",
    "t0"."logins_28d",
    "t0"."logins_change",
    "t0"."exports_28d",
    "t0"."ai_tokens_28d",
    "t0"."db_reads_28d",
    "t0"."demand_period",
    "t0"."share_mean_7d",
    "t0"."share_mean_28d",
    "t0"."burst_ratio_28d",
    "t0"."demand_mean_7d",
    "t0"."demand_mean_28d",
    "t0"."demand_week_on_week",
    "t0"."demand_acceleration",
    "t0"."share_mean_7d" - "t0"."share_mean_28d" AS "share_change_7d",
    CASE
      WHEN (
        "t0"."share_mean_28d" * (
          (
            "t0"."demand_slope_28d" * 28.0
          ) + 1.0
        )
      ) < 0.0
      THEN 0.0
      ELSE "t0"."share_mean_28d" * (
        (
          "t0"."demand_slope_28d" * 28.0
        ) + 1.0
      )
    END AS "share_projected_28d"
  FROM "derived_3" AS "t0"
)
SELECT
  "t0"."tenant_id",
  "t0"."as_of_hour",
  "t0"."plan",
  "t0"."segment",
  "t0"."parent_org",
  "t0"."organisation",
  "t0"."region",
  "t0"."base_limit",
  "t0"."contract_limit",
  "t0"."window_seconds",
  "t0"."mrr",
  "t0"."demand_period",
  "t0"."blocked_70",
  "t0"."blocked_85",
  "t0"."blocked_100",
  "t0"."blocked_115",
  "t0"."blocked_130",
  "t0"."coarse",
  "t0"."share_mean_7d",
  "t0"."share_mean_28d",
  "t0"."share_peak_7d",
  "t0"."share_peak_28d",
  "t0"."windows_over_limit_28d",
  "t0"."windows_near_limit_28d",
  "t0"."predicted_blocked_28d",
  "t0"."predicted_dose_28d",
  "t0"."demand_p95_28d",
  "t0"."burst_ratio_28d",
  "t0"."spike_hour_ratio",
  "t0"."spike_day_ratio",
  "t0"."active_hours_28d",
  "t0"."demand_sum_1d",
  "t0"."demand_mean_7d",
  "t0"."demand_mean_28d",
  "t0"."demand_slope_28d",
  "t0"."demand_week_on_week",
  "t0"."demand_acceleration",
  "t0"."weekday_strength_28d",
  "t0"."share_change_7d",
  "t0"."share_projected_28d",
  "t0"."blocked_share_7d",
  "t0"."blocked_share_28d",
  "t0"."days_blocked_28d",
  "t0"."days_at_limit_28d",
  "t0"."arm_mean_28d",
  "t0"."arm_last",
  "t0"."tightened_share_28d",
  "t0"."days_since_friction",
  "t0"."active_days_7d",
  "t0"."active_days_28d",
  "t0"."days_since_event",
  "t0"."seats_active",
  "t0"."seat_share",
  "t0"."logins_28d",
  "t0"."logins_change",
  "t0"."integrations_active",
  "t0"."exports_28d",
  "t0"."ai_tokens_28d",
  "t0"."db_reads_28d",
  "t0"."workflows_peak_28d",
  "t0"."storage_growth_28d",
  "t0"."tenure_days",
  "t0"."plan_rank",
  "t0"."plan_price",
  "t0"."mrr_log",
  "t0"."renewal_days",
  "t0"."upgrades",
  "t0"."downgrades",
  "t0"."plan_change_days",
  "t0"."tickets_open",
  "t0"."tickets_28d",
  "t0"."tickets_urgent_28d",
  "t0"."interventions_28d",
  "t0"."incident_hours_28d"
FROM "derived_4" AS "t0"
ORDER BY
  "t0"."tenant_id" ASC,
  "t0"."as_of_hour" ASC
