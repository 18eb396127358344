"""The table of tabular data sets: which file, what is predicted, and how its columns become numbers.

A new one is one record. Its file has a header line and lies in the folder of its name below the data directory;
docs/tasks.md says where each comes from. Listing them imports no torch.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from symloss.judging.tasks.datafiles import DataFile, DataSet


@dataclass(frozen=True)
class Table:
    """A tabular data set.

    Args:
        name: of the task, and of the folder that its files lie in.
        about: in a line.
        files: one, or the training part and a published test part.
        target: the column that is predicted.
        classes: texts of the target, in the order of the labels; empty where the target is a number.
        drop: columns that no model may see.
        words: columns that hold words, see `csvfile.encode`.
        zeros: columns in which 0 stands for a missing value.
        centre: what is taken off a target that is a number, and
        unit: what the rest is divided by; round numbers near its scale, in which no part of a split has a say.
        metric: by which candidates are judged, where an experiment names none.
        hidden: widths of the perceptron's hidden layers.
        learning_rates: what an experiment tries that names none.
        batch_size: rows per step.
    """

    name: str
    about: str
    files: tuple[DataFile, ...]
    target: str
    classes: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    zeros: tuple[str, ...] = ()
    centre: float = 0.0
    unit: float = 1.0
    metric: str = "accuracy"
    hidden: tuple[int, ...] = (64, 64)
    learning_rates: tuple[float, ...] = (0.001, 0.003, 0.01)
    batch_size: int = 100

    @property
    def data(self) -> DataSet:
        """Where its files are looked for, and what a complaint says of them."""
        names = " and ".join(f"{file.name} or {file.name}.gz" for file in self.files)
        about = f"It is {names} with a header line; docs/tasks.md says where it comes from and how it is laid out."
        return DataSet(self.name, (self.name,), about)


def one(name: str, sha256: str) -> tuple[DataFile, ...]:
    """Return the one file of a data set, known by the digest of what it unpacks to."""
    return (DataFile(name, (sha256,)),)


BINARY = ("0", "1")

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "adult",
            "who earns more than 50,000 dollars a year, 48842 people of a census, 24 % do",
            (
                *one("adult_train.csv", "3b8a6abd697a6623ef2ccbffc3e2802e167e7fdaa853003d3bd557b0ce7f5d2a"),
                *one("adult_test.csv", "eb6e9f02496bed4137b1a069b8af64b90eb534ba46143948667034dddef9abd9"),
            ),
            "income",
            classes=("<=50K", ">50K"),
            words=(
                "workclass",
                "education",
                "marital_status",
                "occupation",
                "relationship",
                "race",
                "sex",
                "native_country",
            ),
        ),
        Table(
            "credit_default",
            "who does not pay the next instalment, 30000 holders of credit cards, 22 % do not",
            one("credit_default.csv", "e28803eec99215182faffbced63edd940d5034ed240443084ae72d254f147f89"),
            "default",
            classes=BINARY,
            words=("SEX", "EDUCATION", "MARRIAGE"),
        ),
        Table(
            "mammography",
            "calcifications in 11183 candidate spots of mammograms, 2.3 % are; judged by auprc",
            one("mammography.csv", "cf370450c096bee73084390d8501718ce3ef5e391e451f7042b6a627046a8297"),
            "calcification",
            classes=BINARY,
            metric="auprc",
            hidden=(32, 32),
            learning_rates=(0.003, 0.01, 0.03),
        ),
        Table(
            "oil_spill",
            "oil slicks in 937 patches of radar images, 4.4 % are; judged by auprc",
            one("oil_spill.csv", "6eb917db4cb1b96f615645868e84b3d74d790e54425d7a8bfcbfeb1856e801dd"),
            "oil_slick",
            classes=BINARY,
            drop=("f0",),  # the patch's number
            metric="auprc",
            hidden=(32, 32),
            batch_size=32,
        ),
        Table(
            "phoneme",
            "nasal or oral vowels, 5404 of them by 5 harmonics, 29 % oral",
            one("phoneme.csv", "a7480f88a4425a0a0b38be14de4cf2ceb5ea4266ac21483fd1a53d54d28adb74"),
            "oral",
            classes=BINARY,
            batch_size=64,
            learning_rates=(0.003, 0.01, 0.03),
        ),
        Table(
            "pima_diabetes",
            "onset of diabetes within five years, 768 women, 35 % positive",
            one("pima_diabetes.csv", "604bdfaeaecb2c035c3ca112979410b579d4cbfb8029b6c513c9e7fc55b253f4"),
            "diabetes",
            classes=BINARY,
            zeros=("glucose", "blood_pressure", "skin_thickness", "insulin", "bmi"),
            hidden=(32, 32),
            learning_rates=(0.0003, 0.001, 0.003),
            batch_size=32,
        ),
        Table(
            "sonar",
            "rocks (0) or mines (1), 208 sonar echoes in 60 bands",
            one("sonar.csv", "cbb5004a1aa05560a94da674b9ddbae734e2fd6eca2ba9c0ea8cd08a26bdd694"),
            "material",
            classes=("R", "M"),
            hidden=(32, 32),
            batch_size=16,
        ),
        Table(
            "spambase",
            "spam among 4601 e-mails by 57 frequencies, 39 % spam",
            one("spambase.csv", "43cbe9a4be4f1261587a0d094f331fbfb2f20c1284d733d3a612a3692a19ab4b"),
            "spam",
            classes=BINARY,
            batch_size=64,
        ),
        Table(
            "letter_recognition",
            "26 capital letters, 20000 of them by 16 measurements of their pixels",
            one("letter_recognition.csv", "82a8e8f9a5c6627c013c1310d30e2b7a41f3c71a95287ece1628e0bd3627ff9c"),
            "letter",
            classes=tuple(string.ascii_uppercase),
            hidden=(128,),
            learning_rates=(0.003, 0.01, 0.03),
        ),
        Table(
            "covertype_20k",
            "7 kinds of forest cover by 54 measurements of the ground, the first 20000 rows of the full set",
            one("covertype_20k.csv", "79d50492b7f5f90b38541828f039d72e4aba6ee0e373ae6bb46a02f7798a0522"),
            "Cover_Type",
            classes=tuple("1234567"),
            hidden=(128,),
            learning_rates=(0.003, 0.01, 0.03),
        ),
        Table(
            "boston_housing",
            "median price of homes in 506 districts, in units of 10,000 dollars around 20,000; without its column B",
            one("boston_housing.csv", "ebf8b4a9ceaf375f9591be7b862b3eafc6efc952251e77f09dd6c2df9e216ba0"),
            "MEDV",
            drop=("B",),  # a transform of the share of black inhabitants, made to model self-segregation
            centre=20.0,
            unit=10.0,
            metric="mse",
            hidden=(32, 32),
            batch_size=32,
        ),
        Table(
            "california_housing",
            "median price of homes in 20640 districts, in units of 100,000 dollars around 200,000",
            one("california_housing.csv", "a5ec9eaf67b0efbd4646dd0369c19191f77dc3ef06e4b4a3b73fcb254f33ea64"),
            "median_house_value",
            words=("ocean_proximity",),
            centre=200_000.0,
            unit=100_000.0,
            metric="mse",
        ),
        Table(
            "communities_crime",
            "violent crimes per head in 1994 communities by 122 figures, in units of 0.25 around 0.25",
            one("communities_crime.csv", "45d750185d12b51d229cf0756a27ac8b608ec8e90ef24e80e97d531d62923986"),
            "ViolentCrimesPerPop",
            drop=("state", "county", "community", "communityname string", "fold"),  # whose they are, not what they are
            centre=0.25,
            unit=0.25,
            metric="mse",
            hidden=(32, 32),
            learning_rates=(0.0003, 0.001, 0.003),
            batch_size=32,
        ),
    )
}
