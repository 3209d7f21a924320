import pytest

from tests.mock_services.callers import client_of


async def test_a_method_of_payment_of_the_seeds_is_valid() -> None:
    answer = await client_of("payment").get("/payments/pm-789")

    assert answer.status_code == 200
    assert answer.json() == {"payment_id": "pm-789", "is_valid": True}


@pytest.mark.parametrize(
    ("payment_id", "status", "detail"),
    [
        ("pm-expired", 422, "Payment method expired"),
        ("pm-none", 404, "Payment method not found: pm-none"),
    ],
)
async def test_other_methods_of_payment_are_refused(payment_id: str, status: int, detail: str) -> None:
    answer = await client_of("payment").get(f"/payments/{payment_id}")

    assert answer.status_code == status
    assert answer.json()["detail"] == detail
